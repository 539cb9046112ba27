/**
 * openvpn — OpenVPN, AES-256-GCM: a server on s that passes packets on between its clients.
 *
 *     a: client ── UDP 1194 ──▶ s: server, client-to-client ◀── UDP 1194 ── b: client
 *
 * Certificates are made for one run. The tunnel's MTU is that of the others; everything else is as
 * OpenVPN has it, without its kernel module.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Field } from "../../test/lab/field.ts";
import { DATA_TYPE, type Tunnel } from "../../test/lab/floods.ts";
import type { Host, Program } from "../../test/lab/lab.ts";
import { type Rival, versionOf } from "./rival.ts";

const PORT = 1_194;
const MTU = 1_420;
const MASK = "255.255.255.0";
const DEVICE = "ovpn0";
const DAYS = "2";
const UP = "Initialization Sequence Completed";

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/** A certificate of its own authority, or of the one that is there already. */
const makeCertificate = async (
  field: Field,
  name: string,
  issuer: string | null,
): Promise<void> => {
  const at = (file: string): string => join(field.folder, file);
  const signed = issuer === null ? [] : ["-CA", at(`${issuer}.crt`), "-CAkey", at(`${issuer}.pem`)];
  const files = ["-keyout", at(`${name}.pem`), "-out", at(`${name}.crt`)];
  const words = [
    "req",
    "-x509",
    ...KEY,
    "-days",
    DAYS,
    "-subj",
    `/CN=${name}`,
    ...files,
    ...signed,
  ];
  await field.must(field.s, ["openssl", ...words]);
};

const commonLines = (field: Field, name: string): string[] => [
  `dev ${DEVICE}`,
  "dev-type tun",
  "topology subnet",
  "proto udp4",
  `ca ${join(field.folder, "authority.crt")}`,
  `cert ${join(field.folder, `${name}.crt`)}`,
  `key ${join(field.folder, `${name}.pem`)}`,
  "data-ciphers AES-256-GCM",
  `tun-mtu ${MTU}`,
  "mssfix 0",
  "disable-dco",
  "verb 1",
];

const serverLines = (field: Field, clients: string): string[] => [
  ...commonLines(field, "server"),
  "mode server",
  "tls-server",
  "dh none",
  `local ${field.s.under4}`,
  `port ${PORT}`,
  `ifconfig ${field.s.inner4} ${MASK}`,
  'push "topology subnet"',
  `client-config-dir ${clients}`,
  "client-to-client",
  "keepalive 10 60",
];

const clientLines = (field: Field, host: Host): string[] => [
  ...commonLines(field, host.name),
  "client",
  "nobind",
  `remote ${field.s.under4} ${PORT}`,
];

const run = (field: Field, host: Host, lines: readonly string[]): Program => {
  const file = join(field.folder, `${host.name}.ovpn`);
  writeFileSync(file, `${lines.join("\n")}\n`, { mode: 0o600 });
  return field.start(host, ["openvpn", "--config", file]);
};

const start = async (field: Field): Promise<Tunnel> => {
  await makeCertificate(field, "authority", null);
  for (const name of ["server", "a", "b"]) await makeCertificate(field, name, "authority");
  const clients = join(field.folder, "clients");
  mkdirSync(clients);
  for (const { name, inner4 } of [field.a, field.b]) {
    writeFileSync(join(clients, name), `ifconfig-push ${inner4} ${MASK}\n`);
  }
  const server = run(field, field.s, serverLines(field, clients));
  await server.says(UP);
  const peers = [field.a, field.b].map((host) => run(field, host, clientLines(field, host)));
  for (const peer of peers) await peer.says(UP);
  const ends = { from: field.a, to: field.b.inner4, publicKey: null, dataTypes: [DATA_TYPE] };
  return { ...ends, port: PORT, serverPort: PORT, programs: [...peers, server] };
};

export const openvpn: Rival = {
  id: "openvpn",
  title: "OpenVPN, AES-256-GCM",
  family: "openvpn",
  cipher: "aes256gcm",
  node: null,
  install: "openvpn openssl",
  direct: false,
  version: () =>
    versionOf(["openssl", "version"], /(\d\S*)/) === null
      ? null
      : versionOf(["openvpn", "--version"], /OpenVPN (\d\S*)/),
  start,
};
