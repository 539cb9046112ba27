/** keys — those of a session, as a handshake gives them. */

/** Keys of a session, by direction as its holder sees it. */
export interface TransportKeys {
  readonly send: Uint8Array;
  readonly receive: Uint8Array;
}
