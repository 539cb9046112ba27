/**
 * n2n — n2n, Twofish: direct between its edges, or through its supernode on s.
 *
 * The edges find each other through the supernode and then speak directly. To show the relay, each
 * edge's host is told that there is no way to the other: datagrams then keep going through s.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Field } from "../../test/lab/field.ts";
import { DATA_TYPE, type Tunnel } from "../../test/lab/floods.ts";
import type { Host, Program } from "../../test/lab/lab.ts";
import { GIVES_WAY, type Rival, versionOf } from "./rival.ts";

const SUPERNODE_PORT = 7_654;
const EDGE_PORT = 50_001;
const DEVICE = "n2n0";
const COMMUNITY = "field";
const KEY = "of-one-run";
const MASK = "255.255.255.0";
/** Edges register when they start; the supernode knows both by then. */
const REGISTER_MS = 1_500;

const runEdge = (field: Field, host: Host): Program => {
  const own = ["-d", DEVICE, "-a", host.inner4, "-s", MASK, "-p", String(EDGE_PORT)];
  const net = ["-c", COMMUNITY, "-k", KEY, "-l", `${field.s.under4}:${SUPERNODE_PORT}`];
  return field.start(host, ["edge", ...own, ...net]);
};

const start = async (field: Field, direct: boolean): Promise<Tunnel> => {
  const { a, b, s } = field;
  if (!direct) {
    await field.must(a, ["ip", "route", "add", "unreachable", b.under4]);
    await field.must(b, ["ip", "route", "add", "unreachable", a.under4]);
  }
  const place = ["-l", String(SUPERNODE_PORT)];
  const supernode = field.start(s, [...(direct ? GIVES_WAY : []), "supernode", ...place]);
  await sleep(REGISTER_MS / 5);
  const edges = [runEdge(field, a), runEdge(field, b)];
  await sleep(REGISTER_MS);
  const ports = { port: EDGE_PORT, serverPort: SUPERNODE_PORT };
  const ends = { from: a, to: b.inner4, publicKey: null, dataTypes: [DATA_TYPE] };
  return { ...ends, ...ports, programs: [...edges, supernode] };
};

const variant = (direct: boolean): Rival => ({
  id: direct ? "n2n-direct" : "n2n-supernode",
  title: direct ? "n2n, direct" : "n2n through its supernode",
  family: "n2n",
  cipher: "twofish",
  node: null,
  install: "n2n",
  direct,
  version: () => versionOf(["edge", "-h"], /n2n v\.(\d\S*)/),
  start: (field) => start(field, direct),
});

export const n2nSupernode = variant(false);
export const n2nDirect = variant(true);
