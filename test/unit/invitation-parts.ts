/**
 * invitation-parts — an enroller on virtual time, with the real network's room, and joiners that
 * ask it over a wire that a test may cut.
 */
import { randomBytes } from "node:crypto";
import sodium from "sodium-native";
import { Network } from "../../src/control/network/network.ts";
import type { NetworkWorld, Store } from "../../src/control/network/world.ts";
import { Joiner, type JoinState } from "../../src/directory/joiner.ts";
import {
  decodeIssuerFile,
  encodeIssuerFile,
  encodeRevocationsFile,
  type IssuerFile,
} from "../../src/members/bundle.ts";
import { decodeCertificate } from "../../src/members/certificate.ts";
import { encodeIssuer, ISSUER_FLAG, type IssuerFields } from "../../src/members/issuer.ts";
import { encodeRequest } from "../../src/members/request.ts";
import {
  decodeList,
  encodeList,
  type Revocation,
  type RevocationList,
  revokedId,
} from "../../src/members/revocation-list.ts";
import { sealSecret, secretCheck } from "../../src/members/secret.ts";
import { formatToken, parseToken, type Token } from "../../src/members/token.ts";
import { identityFromSeed } from "../../src/schema/identity.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import {
  AUTHORITY,
  address,
  BORN_S,
  certificateOf,
  DAY_S,
  DEFINITION,
  HANDSHAKE,
  must,
  NODE,
  pairOf,
  prefix,
  secretsOf,
  seedOf,
} from "./members-parts.ts";

export const SECRET = new Uint8Array(32).fill(77);
export const OFFICE_AT = makeSockaddr(Uint8Array.of(192, 0, 2, 1), 51_820);
const JOINER_AT = makeSockaddr(Uint8Array.of(192, 0, 2, 9), 40_000);
const NO_LOCAL = new Uint8Array(0);
export const NOW_S = BORN_S + 1_000;

const listOf = (sequence: number, revocations: readonly Revocation[]): RevocationList => {
  const fields = {
    sequence,
    issuedS: BORN_S,
    nextUpdateS: BORN_S + DAY_S,
    epoch: 1,
    secretCheck: secretCheck(1, SECRET),
    authority: 0,
  };
  const { networkId } = DEFINITION;
  return must(decodeList(encodeList(fields, revocations, networkId, AUTHORITY.secretKey)));
};
export const LIST = listOf(1, []);

/** A file that revokes a node. */
export const revoking = (nodeKey: Uint8Array, issuedBeforeS: number): Uint8Array => {
  const { bytes: list } = listOf(2, [{ id: revokedId(nodeKey), issuedBeforeS }]);
  return encodeRevocationsFile({ definition: DEFINITION.bytes, list, members: [] });
};

const mac = (key: Uint8Array, data: Uint8Array): Uint8Array => {
  const out = new Uint8Array(16);
  sodium.crypto_generichash(out, data, key);
  return out;
};

/** What the authority lets the office sign. */
export const issuerOf = (fields: Partial<IssuerFields> = {}): IssuerFile => {
  const issuer = encodeIssuer(
    {
      flags: ISSUER_FLAG.renew | ISSUER_FLAG.enrol,
      serial: 9,
      nodeKey: NODE.publicKey,
      notBeforeS: BORN_S,
      notAfterS: BORN_S + 180 * DAY_S,
      lifeS: 90 * DAY_S,
      givesFlags: 0,
      prefixes: [prefix("10.66.0.0/16")],
      groups: ["ops"],
      authority: 0,
      ...fields,
    },
    DEFINITION.networkId,
    AUTHORITY.secretKey,
  );
  const sealed = sealSecret(SECRET, HANDSHAKE.publicKey)!;
  const rest = { definition: DEFINITION.bytes, list: LIST.bytes, known: [] };
  return must(decodeIssuerFile(encodeIssuerFile({ issuer, sealed, ...rest })));
};

/** Files that outlive an office. */
export const memoryStore = (): Store & { readonly files: Map<string, Uint8Array> } => {
  const files = new Map<string, Uint8Array>();
  return {
    files,
    read: (name) => files.get(name)?.slice() ?? null,
    write: (name, bytes) => {
      files.set(name, bytes.slice());
      return true;
    },
  };
};

export interface OfficeOptions {
  readonly file?: IssuerFile | null;
  readonly store?: Store;
  /** Unix seconds. */
  readonly nowS?: number;
}

/** A host with an issuer certificate. */
export const openOffice = ({ file = issuerOf(), store = memoryStore(), nowS }: OfficeOptions) => {
  const counts = new Map<string, number>();
  const said: string[] = [];
  const sent: { readonly datagram: Uint8Array; readonly to: Uint8Array }[] = [];
  const time = { bootMs: 1_000, unixMs: (nowS ?? NOW_S) * 1_000 };
  const world: NetworkWorld = {
    bootMs: () => time.bootMs,
    unixMs: () => time.unixMs,
    random: () => 0.5,
    randomBytes: (bytes) => new Uint8Array(randomBytes(bytes)),
    mac,
    wakeAt: () => {},
    sendDatagram: (datagram, to) => {
      sent.push({ datagram: datagram.slice(), to: to.slice() });
      return true;
    },
    isUnknownNeighbour: () => false,
    sendFrame: () => false,
    admit: () => null,
    amend: () => false,
    dismiss: () => {},
    isStatic: () => false,
    call: () => {},
    callAgain: () => {},
    hasSession: () => false,
    endpoint: () => null,
    lastUsedMs: () => 0,
    addresses: () => [{ kind: "local", sockaddr: OFFICE_AT }],
    bootstrap: () => [],
    indexes: () => [],
    askIndexNames: () => {},
    openDirectory: null,
    port: () => 51_820,
    store,
    count: (what, amount) => counts.set(what, (counts.get(what) ?? 0) + amount),
    say: (_level, text, more) => said.push(`${text} ${JSON.stringify(more ?? {})}`),
  };
  const network = new Network(
    {
      definition: DEFINITION,
      certificate: must(decodeCertificate(certificateOf({}))),
      list: LIST,
      secret: SECRET.slice(),
      signingKey: NODE.secretKey,
      handshakeKey: HANDSHAKE,
      ...(file === null ? {} : { issuer: file }),
      announce: [],
      acceptRoutes: [],
      neighbours: 4,
      suites: 3,
      builtS: BORN_S,
    },
    world,
  );
  const pass = (seconds: number): void => {
    time.bootMs += seconds * 1_000;
    time.unixMs += seconds * 1_000;
  };
  return { network, office: network.certification.office, counts, said, sent, time, pass, store };
};
export type TestOffice = ReturnType<typeof openOffice>;

/** A token of an invitation that the office makes, as text and as it is read again. */
export const inviteBy = (
  { office }: TestOffice,
  wish: { name?: string; ip?: string; groups?: readonly string[]; hours?: number } = {},
): { readonly text: string; readonly token: Token } => {
  const { name = null, ip, groups = [], hours = 24 } = wish;
  const addresses = ip === undefined ? [] : [address(ip)];
  const promised = must(office!.invite({ name, addresses, groups, hours }));
  const enrollers = [{ nodeKey: NODE.publicKey, places: ["192.0.2.1:51820"] }];
  const text = formatToken({ ...promised, indexes: [], enrollers });
  return { text, token: must(parseToken(text)) };
};

/** Somebody who joins: its identity is made of a number. */
export const joinerOf = (
  token: Token,
  number: number,
  send: (datagram: Uint8Array) => void,
  name = `host-${number}`,
  pinned: Uint8Array | null = NODE.publicKey,
): Joiner => {
  const { publicKey, privateKey } = identityFromSeed(seedOf(number));
  const nodeKey = pairOf(number).publicKey;
  const fields = { nodeKey, handshakeKey: publicKey, issuedS: NOW_S, name };
  return new Joiner({
    token,
    places: [{ sockaddr: OFFICE_AT, nodeKey: pinned }],
    request: encodeRequest(fields, secretsOf(number)),
    nodeKey,
    identity: { publicKey, privateKey },
    random: () => 0.5,
    randomBytes: (bytes) => new Uint8Array(randomBytes(bytes)),
    send: (datagram) => {
      send(datagram);
      return true;
    },
  });
};

/** Lets somebody join at an office; `lose`: is this datagram lost? */
export const joinAt = (
  { network, sent, time }: TestOffice,
  token: Token,
  number: number,
  {
    lose = () => false,
    ms = 3_000,
    name,
  }: {
    lose?: (datagram: Uint8Array, toOffice: boolean) => boolean;
    ms?: number;
    name?: string;
  } = {},
): JoinState => {
  const wire: Uint8Array[] = [];
  const joiner = joinerOf(token, number, (datagram) => wire.push(datagram.slice()), name);
  joiner.start(time.bootMs);
  for (const endMs = time.bootMs + ms; time.bootMs < endMs && joiner.state.is === "asking"; ) {
    for (const datagram of wire.splice(0)) {
      if (!lose(datagram, true)) network.datagram(datagram, JOINER_AT, NO_LOCAL);
    }
    for (const { datagram, to } of sent.splice(0)) {
      if (Buffer.compare(to, JOINER_AT) !== 0 || lose(datagram, false)) continue;
      joiner.datagram(datagram, OFFICE_AT, time.bootMs);
    }
    time.bootMs += 20;
    time.unixMs += 20;
    joiner.tick(time.bootMs);
  }
  joiner.stop();
  return joiner.state;
};
