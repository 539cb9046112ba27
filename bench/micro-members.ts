/**
 * micro-members — tasks of `npm run bench:micro`: what a member costs that is heard of for the
 * first time, from bytes to belief.
 */
import {
  certificateProblem,
  decodeCertificate,
  encodeCertificate,
} from "../src/members/certificate.ts";
import { decodeDefinition, encodeDefinition, firstChain } from "../src/members/definition.ts";
import { decodeRecord, encodeRecord, openRecord, recordSigned } from "../src/members/record.ts";
import { derive } from "../src/members/secret.ts";
import { signingPair } from "../src/members/sign.ts";
import { parseAddress, parseCidr } from "../src/wire/cidr.ts";
import type { MicroTask } from "./micro.ts";

const seed = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
const AUTHORITY = signingPair(seed(1));
const NODE = signingPair(seed(2));
const RECORD_KEY = derive(seed(5), "record");
const BORN_S = 1_800_000_000;

const must = <Value>(decoded: { readonly ok: boolean; readonly value?: Value }): Value => {
  if (!decoded.ok) throw new Error("this benchmark made something that is refused");
  return decoded.value!;
};

const DEFINITION = must(
  decodeDefinition(
    encodeDefinition(
      { name: "lab", sequence: 1, issuedS: BORN_S, cidrs: [parseCidr("10.66.0.0/16")!] },
      firstChain(AUTHORITY.publicKey),
      AUTHORITY.secretKey,
    ),
  ),
);

const CERTIFICATE = encodeCertificate(
  {
    flags: 1,
    serial: 1,
    nodeKey: NODE.publicKey,
    handshakeKey: seed(3),
    notBeforeS: BORN_S,
    notAfterS: BORN_S + 86_400,
    name: "laptop",
    addresses: [parseAddress("10.66.0.2")!],
    routes: [parseCidr("192.168.5.0/24")!],
    groups: ["ops"],
    signer: { by: "authority", authority: 0 },
  },
  DEFINITION.networkId,
  AUTHORITY.secretKey,
);

const RECORD = encodeRecord(
  {
    epoch: 1,
    nodeKey: NODE.publicKey,
    certificateHash: must(decodeCertificate(CERTIFICATE)).hash,
    sequence: BORN_S * 1_000,
    issuedS: BORN_S,
    expiresS: BORN_S + 86_400,
  },
  {
    startId: seed(4).slice(0, 16),
    suites: 3,
    candidates: ["203.0.113.7", "192.168.5.9", "2001:db8::7"].map((text) => {
      return { kind: 1, address: parseAddress(text)!, port: 51_820 };
    }),
    announced: [{ prefix: parseCidr("192.168.5.0/24")!, metric: 10 }],
  },
  {
    networkId: DEFINITION.networkId,
    secretKey: NODE.secretKey,
    recordKey: RECORD_KEY,
    nonce: seed(6).slice(0, 24),
  },
);

const certificate = (): void => {
  const problem = certificateProblem(must(decodeCertificate(CERTIFICATE)), DEFINITION);
  if (problem !== null) throw new Error(problem);
};

const record = (): void => {
  const view = must(decodeRecord(RECORD));
  if (!recordSigned(view, DEFINITION.networkId)) throw new Error("the record does not verify");
};

const view = must(decodeRecord(RECORD));

const opened = (): void => {
  must(openRecord(view, RECORD_KEY));
};

export const memberTasks = (): readonly MicroTask[] => {
  const rest = { cipher: null, count: 1, bytes: 0, unit: "member" } as const;
  return [
    {
      ...rest,
      name: "members: read a certificate",
      run: () => void decodeCertificate(CERTIFICATE),
    },
    { ...rest, name: "members: read and verify a certificate", run: certificate },
    { ...rest, name: "members: read and verify a record", run: record },
    { ...rest, name: "members: open a verified record", run: opened },
    {
      ...rest,
      name: "members: all of a member",
      run: () => {
        certificate();
        record();
        opened();
      },
    },
  ];
};
