/**
 * answers — what the engine answers to `explain`, `reload` and changes; its network in `status`.
 */

/** What is known of a peer or an address. */
export interface ExplainValue {
  readonly subject: string;
  /** Where each piece of it came from, how old it is, and then what is wrong. */
  readonly sentences: readonly string[];
}

/** An index node of the configuration. Units: seconds. */
export interface IndexFacts {
  /** Host and port, as configured. */
  readonly name: string;
  /** Who it is, of the configuration or of first contact; null: it never answered. */
  readonly nodeId: string | null;
  /** The configuration says who it is. */
  readonly isNamed: boolean;
  /**
   * `open`: it answers. `silent`: it did. `knocking`, `opening`: it is called. `idle`: its name
   * leads nowhere.
   */
  readonly state: "idle" | "knocking" | "opening" | "open" | "silent";
  /** Where its channel is; null: there is none. */
  readonly address: string | null;
  /** Age of the channel, and of what it said last. */
  readonly openS: number | null;
  readonly heardAgeS: number | null;
  /** Where it sees this host; null: it has not said. */
  readonly observed: string | null;
  /** Members that it knows of, as it says. */
  readonly members: number | null;
  /** A sentence: why it is of no use now, or that its clock is another; null: neither. */
  readonly problem: string | null;
}

/** The distributed directory, as this member sees it. */
export interface DirectoryFacts {
  /** Others that store, as far as is known: index nodes that answer, and members. */
  readonly storers: number;
  /** Channels with members of these that are open now. */
  readonly channels: number;
  /** Members that have one with this host, and whose record it stores; null: it stores nothing. */
  readonly guests: number | null;
  readonly stored: number | null;
}

/** The network, as this member sees it. Units: seconds, unless a name says otherwise. */
export interface NetworkStatus {
  readonly name: string;
  readonly networkId: string;
  /** What this host is called in it. */
  readonly self: string;
  /** Members that are known, this one among them. */
  readonly members: number;
  /** Members with whom there is a session. */
  readonly sessions: number;
  /** Names of those with whom one is kept up. */
  readonly neighbours: readonly string[];
  readonly indexes: readonly IndexFacts[];
  readonly directory: DirectoryFacts;
  /** Where index nodes see this host, as it tells others. */
  readonly observed: readonly string[];
  /** Members for whom there was no place among the peers. */
  readonly waiting: number;
  readonly listSequence: number;
  readonly listAgeS: number;
  readonly revoked: number;
  /** Of the network's secret. */
  readonly epoch: number;
  readonly clockTrusted: boolean;
  readonly clockHeldMs: number;
  /** Sentences: what is wrong with this host. */
  readonly problems: readonly string[];
  /** What it refused and did, by name. */
  readonly counts: Readonly<Record<string, number>>;
  /** Who was refused and is no member here, and why. */
  readonly strangers: readonly { readonly name: string; readonly problems: readonly string[] }[];
}

/** What `reload` did: settings and peers that changed, and what waits for the next start. */
export interface ReloadValue {
  readonly changed: readonly string[];
  readonly needsRestart: readonly string[];
  /** Sentences: what is doubtful in the file, and what the kernel's routes are not, against it. */
  readonly warnings: readonly string[];
}

/** What a change did not bring about, though it was made: sentences. */
export interface ChangeValue {
  readonly warnings: readonly string[];
}
