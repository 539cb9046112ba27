/**
 * members-vectors — one of everything that is signed, from fixed seeds, by the oracle.
 *
 * `node dist/test/unit/members-vectors.js` prints what test/vectors/members.json holds. Bytes are
 * hexadecimal; a seed of "01" is 32 bytes of 01.
 */
import { fileURLToPath } from "node:url";
import * as oracle from "./members-oracle.ts";
import { edwards, xeddsa } from "./xeddsa-oracle.ts";

const hex = (bytes: oracle.Bytes | Uint8Array): string => Buffer.from([...bytes]).toString("hex");
const filled = (byte: number, count = 32): number[] => new Array<number>(count).fill(byte);
const seed = (byte: number): Uint8Array => Uint8Array.from(filled(byte));
const four = (text: string): number[] => text.split(".").map(Number);
const six = (start: string, end: number): number[] => {
  const head = [...Buffer.from(start, "hex")];
  return [...head, ...filled(0, 15 - head.length), end];
};

const BORN_S = 1_800_000_000;
const DAY_S = 86_400;
const AUTHORITY = seed(1);
const NODE = seed(2);
const ISSUER = seed(3);
const NEXT = seed(4);
const SECRET = filled(5);
const EPHEMERAL = seed(6);
/** What a proof's nonce is made of, beside the secret and what is proved. */
const RANDOM = filled(13, 64);

const key = (of: Uint8Array): number[] => [...oracle.publicKey(of)];

/** An unknown extension, to be kept. */
const LATER = [{ type: 7, critical: false, value: [1, 2, 3] }];
const CRITICAL = [{ type: 2, critical: true, value: [] }];

const NETWORK = oracle.networkId(oracle.publicKey(AUTHORITY));
const HANDSHAKE = oracle.handshakePair(NODE);
const CIDRS = [
  { address: four("10.66.0.0"), bits: 16 },
  { address: six("fd000066", 0), bits: 48 },
];
const DEFINITION = { sequence: 1, issuedS: BORN_S, name: "lab", cidrs: CIDRS, extensions: [] };
const CHAIN = { first: AUTHORITY, next: [] };
const LATER_KEY = { seed: NEXT, atS: BORN_S + DAY_S, untilS: BORN_S + 31 * DAY_S };
const CERTIFICATE: oracle.Certificate = {
  flags: 1,
  serial: 7,
  nodeKey: key(NODE),
  handshakeKey: [...HANDSHAKE.publicKey],
  notBeforeS: BORN_S,
  notAfterS: BORN_S + 90 * DAY_S,
  name: "laptop",
  addresses: [four("10.66.0.2"), six("fd000066", 2)],
  routes: [
    { address: four("192.168.5.0"), bits: 24 },
    { address: four("172.16.0.0"), bits: 12 },
  ],
  groups: ["ops", "dev"],
  extensions: [],
  signer: 0,
};
const SIGNED = oracle.certificate(CERTIFICATE, NETWORK, AUTHORITY);
const ISSUER_BYTES = oracle.issuer(
  {
    flags: 3,
    serial: 1,
    nodeKey: key(ISSUER),
    notBeforeS: BORN_S - DAY_S,
    notAfterS: BORN_S + 180 * DAY_S,
    lifeS: 90 * DAY_S,
    givesFlags: 1,
    prefixes: [...CIDRS, ...CERTIFICATE.routes],
    groups: ["dev", "ops"],
    extensions: [],
    authority: 0,
  },
  NETWORK,
  AUTHORITY,
);
const REVOKED = [10, 11, 12].map((of) => ({ nodeKey: key(seed(of)), issuedBeforeS: BORN_S }));
const REQUEST = {
  nodeKey: key(NODE),
  handshakeKey: [...HANDSHAKE.publicKey],
  issuedS: BORN_S,
  name: "laptop",
  extensions: [],
};
const SECRETS: oracle.RequestSecrets = [NODE, HANDSHAKE.privateKey, RANDOM];
/** Node 03's own request, but for whose handshake key it names. */
const TAKEN = { ...REQUEST, nodeKey: key(ISSUER), name: "taken" };
const TAKER = oracle.handshakePair(ISSUER).privateKey;
const HEAD = {
  epoch: 2,
  nodeKey: key(NODE),
  certificateHash: [...oracle.certificateHash(SIGNED)],
  sequence: BORN_S * 1_000,
  issuedS: BORN_S,
  expiresS: BORN_S + DAY_S,
  nonce: filled(9, 24),
  extensions: [],
};
const CONTENT = {
  startId: filled(8, 16),
  suites: 3,
  candidates: [
    { kind: 0, address: four("203.0.113.7"), port: 51_820 },
    { kind: 1, address: six("20010db8", 7), port: 51_821 },
  ],
  announced: [{ prefix: CERTIFICATE.routes[0]!, metric: 10 }],
  extensions: [],
};
const KEYS = { network: NETWORK, seed: NODE, secret: SECRET };

const TOKEN: oracle.Token = {
  secret: SECRET,
  expiresS: BORN_S,
  network: "lab",
  authorities: [key(AUTHORITY)],
  name: "laptop",
  indexes: [
    { nodeKey: key(NODE), place: "index.example.org:4740" },
    { nodeKey: null, place: "203.0.113.1:4740" },
  ],
  enrollers: [{ nodeKey: key(NODE), places: ["192.0.2.1:51820", "[2001:db8::1]:51820"] }],
};

const certificate = (more: Partial<oracle.Certificate>, of = AUTHORITY): string =>
  hex(oracle.certificate({ ...CERTIFICATE, ...more }, NETWORK, of));

const list = (revoked: oracle.List["revoked"]): string => {
  const times = { issuedS: BORN_S, nextUpdateS: BORN_S + 30 * DAY_S };
  const rest = { sequence: 2, epoch: 2, secret: SECRET, extensions: [], authority: 0 };
  return hex(oracle.list({ ...times, ...rest, revoked }, NETWORK, AUTHORITY));
};

/** The message is the seed's first byte, as often as that says. */
const signedByHandshakeKey = (of: number) => {
  const { privateKey, publicKey } = oracle.handshakePair(seed(of));
  const message = filled(of, of);
  const signature = hex(xeddsa(message, privateKey, RANDOM));
  const edwardsKey = hex(edwards(publicKey)!);
  const keys = { privateKey: hex(privateKey), publicKey: hex(publicKey), edwardsKey };
  return { ...keys, message: hex(message), random: hex(RANDOM), signature };
};

const record = (head: Partial<oracle.Head>, content: Partial<oracle.Content>): string =>
  hex(oracle.record({ ...HEAD, ...head }, { ...CONTENT, ...content }, KEYS));

export const makeMembersVectors = () => ({
  source: "test/unit/members-vectors.ts, with @noble's primitives",
  seeds: { authority: "01", node: "02", issuer: "03", nextAuthority: "04" },
  secret: { epoch: 2, value: hex(SECRET) },
  networkId: hex(NETWORK),
  authorityKey: hex(key(AUTHORITY)),
  nodeKey: hex(key(NODE)),
  handshakePrivateKey: hex(HANDSHAKE.privateKey),
  handshakeKey: hex(HANDSHAKE.publicKey),
  definition: hex(oracle.definition({ ...DEFINITION, chain: CHAIN })),
  definitionAfterRotation: hex(
    oracle.definition({ ...DEFINITION, sequence: 2, chain: { ...CHAIN, next: [LATER_KEY] } }),
  ),
  certificate: hex(SIGNED),
  certificateHash: hex(oracle.certificateHash(SIGNED)),
  certificateWithExtension: certificate({ extensions: LATER }),
  certificateWithCriticalExtension: certificate({ extensions: CRITICAL }),
  issuer: hex(ISSUER_BYTES),
  certificateByIssuer: certificate({ signer: ISSUER_BYTES }, ISSUER),
  revocationsEmpty: list([]),
  revocations: list(REVOKED),
  secretCheck: hex(oracle.secretCheck(2, SECRET)),
  keys: Object.fromEntries(
    ["record", "intro", "here", "beacon", "target"].map((label) => [
      label,
      hex(oracle.derive(SECRET, label)),
    ]),
  ),
  sealedSecret: hex(oracle.boxSeal(SECRET, HANDSHAKE.publicKey, EPHEMERAL)),
  byHandshakeKeys: [2, 3, 4, 5, 6, 7].map(signedByHandshakeKey),
  request: hex(oracle.request(REQUEST, SECRETS)),
  requestWithExtension: hex(oracle.request({ ...REQUEST, extensions: LATER }, SECRETS)),
  requestForAnothersKey: hex(oracle.request(TAKEN, [ISSUER, TAKER, RANDOM])),
  requestOfVersion1: hex(oracle.request(REQUEST, [NODE])),
  record: record({}, {}),
  recordWithExtensions: record({ extensions: LATER }, { extensions: LATER }),
  recordWithCriticalExtension: record({ extensions: CRITICAL }, {}),
  recordWithCriticalExtensionSealed: record({}, { extensions: CRITICAL }),
  invitation: oracle.token(TOKEN),
  invitationAfterRotation: oracle.token({ ...TOKEN, authorities: [key(AUTHORITY), key(NEXT)] }),
  invitationKeys: Object.fromEntries(
    Object.entries({ hash: 16, knock: 32, request: 32, answer: 32 }).map(([label, bytes]) => [
      label,
      hex(oracle.tokenKey(SECRET, label, bytes)),
    ]),
  ),
});

export type MembersVectors = ReturnType<typeof makeMembersVectors>;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(`${JSON.stringify(makeMembersVectors(), null, 2)}\n`);
}
