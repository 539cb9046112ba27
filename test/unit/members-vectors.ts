/**
 * members-vectors — one of everything that is signed, from fixed seeds, by the oracle.
 *
 * `node dist/test/unit/members-vectors.js` prints what test/vectors/members.json holds. Bytes are
 * hexadecimal; a seed of "01" is 32 bytes of 01.
 */
import { fileURLToPath } from "node:url";
import * as oracle from "./members-oracle.ts";

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
/** The X25519 secret of node 02, derived as docs/PROTOCOL.md says under "Keys". */
const LABEL = new TextEncoder().encode("p2pvpn/1/handshake-key");

const key = (of: Uint8Array): number[] => [...oracle.publicKey(of)];

/** An unknown extension, to be kept. */
const LATER = [{ type: 7, critical: false, value: [1, 2, 3] }];
const CRITICAL = [{ type: 2, critical: true, value: [] }];

export const makeMembersVectors = () => {
  const network = oracle.networkId(oracle.publicKey(AUTHORITY));
  const { privateKey, publicKey } = oracle.handshakePair(NODE, LABEL);
  const cidrs = [
    { address: four("10.66.0.0"), bits: 16 },
    { address: six("fd000066", 0), bits: 48 },
  ];
  const definition = { sequence: 1, issuedS: BORN_S, name: "lab", cidrs, extensions: [] };
  const chain = { first: AUTHORITY, next: [] };
  const later = { seed: NEXT, atS: BORN_S + DAY_S, untilS: BORN_S + 31 * DAY_S };
  const certificate: oracle.Certificate = {
    flags: 1,
    serial: 7,
    nodeKey: key(NODE),
    handshakeKey: [...publicKey],
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
  const issuer = {
    flags: 3,
    serial: 1,
    nodeKey: key(ISSUER),
    notBeforeS: BORN_S - DAY_S,
    notAfterS: BORN_S + 180 * DAY_S,
    lifeS: 90 * DAY_S,
    givesFlags: 1,
    prefixes: [...cidrs, ...certificate.routes],
    groups: ["dev", "ops"],
    extensions: [],
    authority: 0,
  };
  const issuerBytes = oracle.issuer(issuer, network, AUTHORITY);
  const list = {
    sequence: 2,
    issuedS: BORN_S,
    nextUpdateS: BORN_S + 30 * DAY_S,
    epoch: 2,
    secret: SECRET,
    extensions: [],
    authority: 0,
  };
  const revoked = [0, 0, 0].map((_, i) => ({ nodeKey: key(seed(10 + i)), issuedBeforeS: BORN_S }));
  const request = {
    nodeKey: key(NODE),
    handshakeKey: [...publicKey],
    issuedS: BORN_S,
    name: "laptop",
    extensions: [],
  };
  const signed = oracle.certificate(certificate, network, AUTHORITY);
  const head = {
    epoch: 2,
    nodeKey: key(NODE),
    certificateHash: [...oracle.certificateHash(signed)],
    sequence: BORN_S * 1_000,
    issuedS: BORN_S,
    expiresS: BORN_S + DAY_S,
    nonce: filled(9, 24),
    extensions: [],
  };
  const content = {
    startId: filled(8, 16),
    suites: 3,
    candidates: [
      { kind: 0, address: four("203.0.113.7"), port: 51_820 },
      { kind: 1, address: six("20010db8", 7), port: 51_821 },
    ],
    announced: [{ prefix: certificate.routes[0]!, metric: 10 }],
    extensions: [],
  };
  const keys = { network, seed: NODE, secret: SECRET };
  const by = (more: Partial<oracle.Certificate>, of = AUTHORITY): string =>
    hex(oracle.certificate({ ...certificate, ...more }, network, of));
  return {
    source: "test/unit/members-vectors.ts, with @noble's primitives",
    seeds: { authority: "01", node: "02", issuer: "03", nextAuthority: "04" },
    secret: { epoch: 2, value: hex(SECRET) },
    networkId: hex(network),
    authorityKey: hex(key(AUTHORITY)),
    nodeKey: hex(key(NODE)),
    handshakePrivateKey: hex(privateKey),
    handshakeKey: hex(publicKey),
    definition: hex(oracle.definition({ ...definition, chain })),
    definitionAfterRotation: hex(
      oracle.definition({ ...definition, sequence: 2, chain: { ...chain, next: [later] } }),
    ),
    certificate: hex(signed),
    certificateHash: hex(oracle.certificateHash(signed)),
    certificateWithExtension: by({ extensions: LATER }),
    certificateWithCriticalExtension: by({ extensions: CRITICAL }),
    issuer: hex(issuerBytes),
    certificateByIssuer: by({ signer: issuerBytes }, ISSUER),
    revocationsEmpty: hex(oracle.list({ ...list, revoked: [] }, network, AUTHORITY)),
    revocations: hex(oracle.list({ ...list, revoked }, network, AUTHORITY)),
    secretCheck: hex(oracle.secretCheck(2, SECRET)),
    keys: Object.fromEntries(
      ["record", "intro", "here", "beacon", "target"].map((label) => [
        label,
        hex(oracle.derive(SECRET, label)),
      ]),
    ),
    sealedSecret: hex(oracle.boxSeal(SECRET, publicKey, EPHEMERAL)),
    request: hex(oracle.request(request, NODE)),
    record: hex(oracle.record(head, content, keys)),
    recordWithExtensions: hex(
      oracle.record({ ...head, extensions: LATER }, { ...content, extensions: LATER }, keys),
    ),
    recordWithCriticalExtension: hex(
      oracle.record({ ...head, extensions: CRITICAL }, content, keys),
    ),
    recordWithCriticalExtensionSealed: hex(
      oracle.record(head, { ...content, extensions: CRITICAL }, keys),
    ),
  };
};

export type MembersVectors = ReturnType<typeof makeMembersVectors>;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(`${JSON.stringify(makeMembersVectors(), null, 2)}\n`);
}
