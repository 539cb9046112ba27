/** members-places — addresses of a simulated network's nodes, and the hash that they all have. */
import sodium from "sodium-native";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";

export const PORT = 51_820;

export const mac = (key: Uint8Array, data: Uint8Array): Uint8Array => {
  const out = new Uint8Array(16);
  sodium.crypto_generichash(out, data, key);
  return out;
};

/** Where the node of a place is. */
export const placeOf = (place: number): Uint8Array =>
  Uint8Array.of(198, 18 + (place >> 16), (place >> 8) & 0xff, place & 0xff);

export const sockaddrOf = (place: number): Uint8Array => makeSockaddr(placeOf(place), PORT);
