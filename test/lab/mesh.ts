/**
 * mesh — members of one network, each in a namespace of its own, around one switch.
 *
 *     p2pvpn-bench-<pid>-w   the switch: a bridge
 *     p2pvpn-bench-<pid>-m1  under 192.0.2.101/24, 2001:db8::101/64 · tunnel 10.66.0.1
 *     p2pvpn-bench-<pid>-m2  under 192.0.2.102/24, …                · tunnel 10.66.0.2
 *
 * Network, certificates and engines are made by the commands that people type. The laboratory's
 * clean-up is that of lab.ts.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inside, runTool, type ToolResult } from "../../src/demo/tools.ts";
import { cliWords, PORT } from "./engines.ts";
import {
  cleanUpAtExit,
  isAlive,
  LabError,
  must,
  namespaceOf,
  PREFIX,
  type Program,
  removeOf,
  spawnInside,
} from "./lab.ts";

const UP_MS = 30_000;
export const INDEX_PORT = 4_740;
const LINES_TOLD = 8;
const PING_S = "0.05";
const SWITCH = "switch";
const NETWORK = "lab";

/** One member: its host and its files. */
export interface Member {
  readonly number: number;
  readonly name: string;
  readonly namespace: string;
  readonly under4: string;
  readonly under6: string;
  readonly inner4: string;
  readonly interfaceName: string;
  readonly key: string;
  readonly certificate: string;
  readonly config: string;
  readonly stateDir: string;
  program: Program | null;
}

/** What a member's configuration says. */
export interface MemberPlan {
  readonly bootstrap?: readonly string[];
  readonly index?: readonly string[];
  readonly announce?: readonly string[];
  readonly acceptRoutes?: readonly string[];
  readonly lan?: boolean;
  /** File of an issuer certificate. */
  readonly issuer?: string;
  readonly neighbours?: number;
  readonly ioThreads?: number;
  /** Text that follows, as [[peer]]. */
  readonly rest?: string;
}

/** Pings that go on until somebody asks what was lost. */
export class Pings {
  readonly #program: Program;

  constructor(program: Program) {
    this.#program = program;
  }

  /** Answers until now. */
  get answered(): number {
    return this.#numbers().size;
  }

  #numbers(): Set<number> {
    const all = this.#program.output.matchAll(/icmp_seq=(\d+) ttl/g);
    return new Set([...all].map(([, number]) => Number(number)));
  }

  /** Ends them. Of those that were sent before the last that was answered, how many were not. */
  async lost(): Promise<number> {
    this.#program.child.kill("SIGINT");
    await this.#program.ended;
    const numbers = this.#numbers();
    return Math.max(...numbers) - numbers.size;
  }
}

/** Up to 99 members and their switch. One at a time in a process. */
export class Mesh {
  readonly members: readonly Member[];
  readonly folder: string;

  private constructor(folder: string, members: readonly Member[]) {
    this.folder = folder;
    this.members = members;
  }

  /** Makes hosts and network; nobody is a member yet. Errors: LabError. */
  static async make(count: number): Promise<Mesh> {
    if (process.geteuid?.() !== 0) throw new LabError("This needs root; run it with sudo.");
    removeOf((pid) => !isAlive(pid));
    cleanUpAtExit();
    const folder = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
    mkdirSync(join(folder, "run"), { mode: 0o700 });
    const members = Array.from({ length: count }, (_, i) => memberOf(i + 1, folder));
    const hub = namespaceOf("w");
    await must(["ip", "netns", "add", hub]);
    await must(["ip", "-netns", hub, "link", "add", SWITCH, "type", "bridge"]);
    await must(["ip", "-netns", hub, "link", "set", SWITCH, "up"]);
    for (const member of members) await plug(member, hub);
    const mesh = new Mesh(folder, members);
    const create = ["--cidr", "10.66.0.0/16", "--out", mesh.file(NETWORK), "--no-passphrase"];
    await mesh.must("network", "create", "--name", NETWORK, ...create);
    return mesh;
  }

  file(name: string): string {
    return join(this.folder, name);
  }

  get authority(): string {
    return this.file(`${NETWORK}.authority`);
  }

  get networkFile(): string {
    return this.file(`${NETWORK}.network`);
  }

  /** A command, on no member's host. */
  cli(...words: readonly string[]): Promise<ToolResult> {
    return runTool(["env", `P2PVPN_RUN_DIR=${this.file("run")}`, ...cliWords(words)]);
  }

  /** One that has to succeed. Errors: LabError. */
  async must(...words: readonly string[]): Promise<string> {
    const { code, output, errors } = await this.cli(...words);
    if (code === 0) return output;
    throw new LabError(`\`${words.join(" ")}\` failed: ${errors.trim() || output.trim()}`);
  }

  /** A command on a member's host about its own engine. */
  on(member: Member, ...words: readonly string[]): Promise<ToolResult> {
    const env = ["env", `P2PVPN_RUN_DIR=${this.file("run")}`];
    const all = [...env, ...cliWords([...words, "-i", member.interfaceName])];
    return runTool(inside(member.namespace, all));
  }

  /** The same with --json, parsed. Errors: LabError. */
  async json<Value>(member: Member, ...words: readonly string[]): Promise<Value> {
    const { code, output, errors } = await this.on(member, ...words, "--json");
    if (code !== 0) throw new LabError(`${words.join(" ")} failed: ${errors.trim()}`);
    return JSON.parse(output) as Value;
  }

  /** Key, request and certificate of a member. `more`: for `network sign`. */
  async enroll(member: Member, ...more: readonly string[]): Promise<void> {
    await this.#request(member);
    await this.#sign(member, more);
  }

  /** Of all of them; signed one by one, as the authority's book is written. */
  async enrollAll(): Promise<void> {
    await Promise.all(this.members.map((member) => this.#request(member)));
    for (const member of this.members) await this.#sign(member);
  }

  async #request({ key, name }: Member): Promise<void> {
    rmSync(key, { force: true });
    await this.must("keygen", "--out", key);
    const request = this.file(`${name}.request`);
    rmSync(request, { force: true });
    await this.must("request", "--key", key, "--name", name, "--out", request);
  }

  async #sign(member: Member, more: readonly string[] = []): Promise<void> {
    const { name, certificate, inner4 } = member;
    const request = this.file(`${name}.request`);
    rmSync(certificate, { force: true });
    const sign = ["--authority", this.authority, "--request", request, "--ip", inner4];
    await this.must("network", "sign", ...sign, ...more, "--out", certificate);
  }

  /** Writes the member's configuration. */
  configure(member: Member, plan: MemberPlan = {}): void {
    const { bootstrap = [], announce = [], acceptRoutes = [], lan = false, neighbours } = plan;
    const lines = [
      "[interface]",
      `name = "${member.interfaceName}"`,
      `private_key_file = "${member.key}"`,
      `listen_port = ${PORT}`,
      `state_dir = "${member.stateDir}"`,
      "[network]",
      `network_file = "${this.networkFile}"`,
      `certificate = "${member.certificate}"`,
      `bootstrap = ${JSON.stringify(bootstrap)}`,
      `index = ${JSON.stringify(plan.index ?? [])}`,
      `announce = ${JSON.stringify(announce)}`,
      `accept_routes = ${JSON.stringify(acceptRoutes)}`,
      `lan = ${lan}`,
      ...(plan.issuer === undefined ? [] : [`issuer = "${plan.issuer}"`]),
      ...(neighbours === undefined ? [] : [`neighbours = ${neighbours}`]),
      "[engine]",
      "threads = 0",
      `io_threads = ${plan.ioThreads ?? 1}`,
      ...(plan.rest === undefined ? [] : [plan.rest]),
    ];
    writeFileSync(member.config, `${lines.join("\n")}\n`, { mode: 0o600 });
  }

  /**
   * Starts the member's engine, and waits until it is up. `imports`: modules that it loads first.
   * Errors: LabError.
   */
  async start(member: Member, imports: readonly string[] = []): Promise<void> {
    const env = { P2PVPN_RUN_DIR: this.file("run") };
    const [node = "", ...line] = cliWords(["start", "-c", member.config]);
    const words = [node, ...imports.flatMap((path) => ["--import", path]), ...line];
    member.program = spawnInside(member.namespace, words, env);
    await member.program.says(" is up", UP_MS);
  }

  /** Starts an index node on a member's host, which is no member then. Errors: LabError. */
  async startIndex(host: Member, listen = `${host.under4}:${INDEX_PORT}`): Promise<Program> {
    const files = ["--network", this.networkFile, "--data", this.file(`${host.name}.index`)];
    const program = spawnInside(
      host.namespace,
      cliWords(["index", "--listen", listen, ...files]),
      {},
    );
    await program.says(" is up at ", UP_MS);
    return program;
  }

  /** Errors: LabError when it has to be killed. */
  async stop(member: Member): Promise<void> {
    await member.program?.stop();
    member.program = null;
  }

  /** One ping from a member to an address; true: answered within `waitS`. */
  async pings(from: Member, to: string, waitS = 1): Promise<boolean> {
    const words = ["ping", "-n", "-c", "1", "-W", String(waitS), to];
    return (await runTool(inside(from.namespace, words))).code === 0;
  }

  /** Pings all the while, and counts what is lost. Errors: LabError, when nobody answers. */
  async keepPinging(from: Member, to: string): Promise<Pings> {
    const program = spawnInside(from.namespace, ["ping", "-n", "-i", PING_S, to], {});
    await program.says("icmp_seq=2 ");
    return new Pings(program);
  }

  /** Waits until everybody of these pings everybody; returns milliseconds. Errors: LabError. */
  async allReach(members: readonly Member[], withinMs: number): Promise<number> {
    const begun = performance.now();
    const open = new Set(
      members.flatMap((from) => members.filter((to) => to !== from).map((to) => ({ from, to }))),
    );
    while (open.size > 0) {
      const tried = [...open].map(async (pair) => {
        if (await this.pings(pair.from, pair.to.inner4)) open.delete(pair);
      });
      await Promise.all(tried);
      if (open.size === 0 || performance.now() - begun < withinMs) continue;
      const left = [...open].map(({ from, to }) => `${from.name} to ${to.name}`);
      const what = `Nobody answered within ${withinMs} ms: ${left.join(", ")}.`;
      throw new LabError([what, ...this.said(members)].join("\n"));
    }
    return performance.now() - begun;
  }

  /** What engines said on standard error, the last lines of each; for failures. */
  said(members: readonly Member[] = this.members): string[] {
    return members.flatMap(({ name, program }) => {
      if (program === null) return [];
      const { exitCode } = program.child;
      const lines = program.errors.trim().split("\n").slice(-LINES_TOLD);
      return [`${name}${exitCode === null ? "" : ` ended with ${exitCode}`}:`, ...lines];
    });
  }

  /** Ends all programs and removes all. */
  remove(): void {
    removeOf((pid) => pid === process.pid);
  }
}

const memberOf = (number: number, folder: string): Member => {
  const name = `m${number}`;
  return {
    number,
    name,
    namespace: `${PREFIX}${process.pid}-${name}`,
    under4: `192.0.2.${100 + number}`,
    under6: `2001:db8::${100 + number}`,
    inner4: `10.66.0.${number}`,
    interfaceName: `p2p${process.pid}${name}`,
    key: join(folder, `${name}.key`),
    certificate: join(folder, `${name}.cert`),
    config: join(folder, `${name}.toml`),
    stateDir: join(folder, `${name}.state`),
    program: null,
  };
};

/** The member's host, with a cable to the switch. */
const plug = async ({ namespace, name, under4, under6 }: Member, hub: string): Promise<void> => {
  await must(["ip", "netns", "add", namespace]);
  const cable = ["type", "veth", "peer", "name", name, "netns", hub];
  await must(["ip", "link", "add", "under", "netns", namespace, ...cable]);
  await must(["ip", "-netns", hub, "link", "set", name, "master", SWITCH, "up"]);
  const ip = (...words: string[]) => must(["ip", "-netns", namespace, ...words]);
  await ip("link", "set", "lo", "up");
  await ip("address", "add", `${under4}/24`, "dev", "under");
  await ip("address", "add", `${under6}/64`, "dev", "under", "nodad");
  await ip("link", "set", "under", "up");
};
