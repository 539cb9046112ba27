/**
 * join-socket — asks, by an invitation, all whom it names: names are resolved, datagrams go from
 * sockets of Node's own, so that nobody need be root; it ends in time.
 */
import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import {
  Joiner,
  type JoinerOptions,
  type JoinPlace,
  type JoinState,
} from "../../directory/joiner.ts";
import type { Token } from "../../members/token.ts";
import { type Endpoint, parseEndpoint } from "../../schema/config.ts";
import { formatAddress, parseAddress } from "../../wire/cidr.ts";
import {
  formatSockaddr,
  makeSockaddr,
  sockaddrFamily,
  sockaddrHost,
  sockaddrPort,
} from "../../wire/sockaddr.ts";

/** Tuning: who does not answer by then is not there. */
export const JOIN_MS = 20_000;
const NAMES_MS = 5_000;
const TICK_MS = 20;
const NS_MS = 1_000_000n;

/** Milliseconds of a clock that nobody sets. */
const nowMs = (): number => Number(process.hrtime.bigint() / NS_MS);

const within = <Value>(ms: number, value: Promise<Value>, otherwise: Value): Promise<Value> =>
  new Promise((resolve) => {
    const timer = setTimeout(() => resolve(otherwise), ms);
    value.then(
      (found) => {
        clearTimeout(timer);
        resolve(found);
      },
      () => {
        clearTimeout(timer);
        resolve(otherwise);
      },
    );
  });

const addressesOf = async ({ host }: Endpoint): Promise<readonly Uint8Array[]> => {
  const written = parseAddress(host);
  if (written !== null) return [written];
  const found = await within(NAMES_MS, lookup(host, { all: true }), []);
  return found.flatMap(({ address }) => parseAddress(address) ?? []);
};

/** All addresses that a token names, as far as names are known. */
const placesOf = async ({ indexes, enrollers }: Token): Promise<readonly JoinPlace[]> => {
  const named = [
    ...indexes,
    ...enrollers.flatMap(({ nodeKey, places }) => places.map((place) => ({ nodeKey, place }))),
  ];
  const found = await Promise.all(
    named.map(async ({ nodeKey, place }) => {
      const endpoint = parseEndpoint(place);
      if (endpoint === null) return [];
      const addresses = await addressesOf(endpoint);
      return addresses.map((one) => ({ nodeKey, sockaddr: makeSockaddr(one, endpoint.port) }));
    }),
  );
  return found.flat();
};

/** A socket for each family that there is; what comes is given to `take`. */
const openSockets = (
  take: (datagram: Uint8Array, from: Uint8Array) => void,
): ReadonlyMap<4 | 6, Socket> => {
  const open = (family: 4 | 6): Socket => {
    const socket = createSocket({ type: family === 4 ? "udp4" : "udp6", ipv6Only: family === 6 });
    // A family that the host does not have fails at each datagram; the other one may do.
    socket.on("error", () => {});
    socket.on("message", (datagram, { address, port }) => {
      const host = parseAddress(address.replace(/%.*$/, ""));
      if (host !== null) take(datagram, makeSockaddr(host, port));
    });
    return socket;
  };
  return new Map([
    [4, open(4)],
    [6, open(6)],
  ]);
};

const sendFrom =
  (sockets: ReadonlyMap<4 | 6, Socket>) =>
  (datagram: Uint8Array, to: Uint8Array): boolean => {
    const family = sockaddrFamily(to);
    const socket = family === 0 ? undefined : sockets.get(family);
    if (socket === undefined) return false;
    const host = formatAddress(sockaddrHost(to));
    // A refusal of the kernel is as a loss.
    socket.send(datagram, sockaddrPort(to), host, () => {});
    return true;
  };

/** What became of it, and who was asked. */
export interface JoinOutcome {
  readonly state: JoinState;
  /** "host:port" each. */
  readonly asked: readonly string[];
  /** How many of them answered at all. */
  readonly answered: number;
  readonly signed: boolean;
}

/** Asks until somebody has signed or refused, or for JOIN_MS. `progress`: a sentence. */
export const askToJoin = async (
  options: Pick<JoinerOptions, "token" | "request" | "nodeKey" | "identity">,
  progress: (sentence: string) => void,
): Promise<JoinOutcome> => {
  const places = await placesOf(options.token);
  const asked = places.flatMap(({ sockaddr }) => formatSockaddr(sockaddr) ?? []);
  progress(`Asking ${asked.join(", ") || "nobody: no name of the invitation resolves"}.`);
  let joiner: Joiner | null = null;
  const sockets = openSockets((datagram, from) => joiner?.datagram(datagram, from, nowMs()));
  const asking = new Joiner({
    ...options,
    places,
    random: () => randomBytes(4).readUInt32LE() / 2 ** 32,
    randomBytes: (bytes) => new Uint8Array(randomBytes(bytes)),
    send: sendFrom(sockets),
  });
  joiner = asking;
  const endMs = nowMs() + (places.length === 0 ? 0 : JOIN_MS);
  let answered = 0;
  let signed = false;
  asking.start(nowMs());
  while (asking.state.is === "asking" && nowMs() < endMs) {
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    asking.tick(nowMs());
    if (answered === 0 && asking.answered > 0)
      progress("Somebody answers; waiting for a signature.");
    if (!signed && asking.signed)
      progress("It is signed; fetching what the network says of itself.");
    answered = Math.max(answered, asking.answered);
    signed = asking.signed;
  }
  const outcome = { state: asking.state, asked, answered, signed };
  asking.stop();
  for (const socket of sockets.values()) socket.close();
  return outcome;
};
