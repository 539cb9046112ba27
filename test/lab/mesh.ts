/**
 * mesh — members of one network, each in a namespace of its own, around one switch.
 *
 *     p2pvpn-bench-<pid>-w   the switch: a bridge
 *     p2pvpn-bench-<pid>-m1  under 192.0.2.101/24, 2001:db8::101/64 · tunnel 10.66.0.1
 *     p2pvpn-bench-<pid>-m2  under 192.0.2.102/24, …                · tunnel 10.66.0.2
 *
 * Networks and certificates are made by papers.ts; engines and all else, by the commands that
 * people type. The laboratory's clean-up is that of lab.ts.
 */
import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inside, runTool, type ToolResult } from "../../src/demo/tools.ts";
import { askJson, cliWords, type Question } from "./engines.ts";
import {
  cleanUpAtExit,
  isAlive,
  LabError,
  must,
  namespaceOf,
  type Place,
  PREFIX,
  type Program,
  removeOf,
  spawnInside,
} from "./lab.ts";
import { type MemberFiles, type MemberPlan, writeMemberFile } from "./member-file.ts";
import { INDEX_PORT } from "./network.ts";
import { type Grant, Papers } from "./papers.ts";
import { makeSwitch, plugIn } from "./switch.ts";

const UP_MS = 30_000;
const LINES_TOLD = 8;
const PING_S = "0.05";
const NETWORK = "lab";
const RANGES = ["10.66.0.0/16"];

/** One member: its host and its files. */
export interface Member extends MemberFiles {
  readonly number: number;
  readonly namespace: string;
  readonly under4: string;
  readonly under6: string;
  readonly inner4: string;
  program: Program | null;
}

/** How an index node is started. */
export interface IndexPlan {
  /** Its own address and the usual port where left out. */
  readonly listen?: string;
  /** Network files; the mesh's own where left out. */
  readonly networks?: readonly string[];
  /** Other options of the command. */
  readonly words?: readonly string[];
  /** Modules that it loads first. */
  readonly imports?: readonly string[];
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

/** Pings all the while, and counts what is lost. Errors: LabError, when nobody answers. */
export const keepPinging = async (from: Place, to: string): Promise<Pings> => {
  const program = spawnInside(from.namespace, ["ping", "-n", "-i", PING_S, to], {});
  await program.says("icmp_seq=2 ");
  return new Pings(program);
};

/** Up to 99 members and their switch. One at a time in a process. */
export class Mesh {
  readonly members: readonly Member[];
  readonly folder: string;
  /** Of the network that its members are in. */
  readonly papers: Papers;

  private constructor(folder: string, members: readonly Member[], signedS: number | undefined) {
    this.folder = folder;
    this.members = members;
    this.papers = this.found(NETWORK, signedS);
  }

  /**
   * Makes hosts and network; nobody is a member yet. `signedS`: when its authority signs, in place
   * of now; Unix seconds. Errors: LabError.
   */
  static async make(count: number, signedS?: number): Promise<Mesh> {
    if (process.geteuid?.() !== 0) throw new LabError("This needs root; run it with sudo.");
    removeOf((pid) => !isAlive(pid));
    cleanUpAtExit();
    const folder = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
    mkdirSync(join(folder, "run"), { mode: 0o700 });
    const members = Array.from({ length: count }, (_, i) => memberOf(i + 1, folder));
    const w: Place = { namespace: namespaceOf("w") };
    await must(["ip", "netns", "add", w.namespace]);
    await makeSwitch(w);
    await Promise.all(members.map((member) => plug(member, w)));
    return new Mesh(folder, members, signedS);
  }

  /** One more network, in which the same addresses are others'. */
  found(name: string, signedS?: number): Papers {
    return Papers.found(this.folder, name, RANGES, signedS === undefined ? {} : { signedS });
  }

  file(name: string): string {
    return join(this.folder, name);
  }

  get authority(): string {
    return this.papers.authority;
  }

  get networkFile(): string {
    return this.papers.networkFile;
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

  /** What a member's engine answers, as the command prints it with --json. Errors: EngineError. */
  json<Value>(member: Member, what: Question): Promise<Value> {
    return askJson(this.file("run"), member.interfaceName, what);
  }

  /**
   * Key and certificate of a member, in place of what it has; returns its WireGuard public key.
   * Errors: LabError.
   */
  enroll(member: Member, grant: Partial<Grant> = {}, papers = this.papers): Promise<string> {
    return papers.enroll(member, { ips: [member.inner4], ...grant });
  }

  /** Of all of them. */
  async enrollAll(): Promise<void> {
    for (const member of this.members) await this.enroll(member);
  }

  /** Writes the member's configuration. */
  configure(member: Member, plan: MemberPlan = {}, papers = this.papers): void {
    writeMemberFile(member, papers.networkFile, { threads: 0, ioThreads: 1, ...plan });
  }

  /**
   * Starts the member's engine, and waits until it is up. `imports`: modules that it loads first.
   * Errors: LabError.
   */
  async start(member: Member, imports: readonly string[] = []): Promise<void> {
    member.program = this.#spawn(member, ["start", "-c", member.config], imports);
    await member.program.says(" is up", UP_MS);
  }

  /** Starts several at once, and waits until the last one is up. Errors: LabError. */
  async startAll(members: readonly Member[], imports: readonly string[] = []): Promise<void> {
    await Promise.all(members.map((member) => this.start(member, imports)));
  }

  /** Starts an index node on a member's host, which is no member then. Errors: LabError. */
  async startIndex(host: Member, plan: IndexPlan = {}): Promise<Program> {
    const { listen = `${host.under4}:${INDEX_PORT}`, words = [], imports = [] } = plan;
    const networks = (plan.networks ?? [this.networkFile]).flatMap((file) => ["--network", file]);
    const files = ["--listen", listen, ...networks, "--data", this.indexFolder(host)];
    const program = this.#spawn(host, ["index", ...files, ...words], imports);
    await program.says(" is up at ", UP_MS);
    return program;
  }

  /** Where an index node of this host keeps what it knows. */
  indexFolder({ name }: Member): string {
    return this.file(`${name}.index`);
  }

  #spawn(host: Member, line: readonly string[], imports: readonly string[]): Program {
    const [node = "", ...rest] = cliWords(line);
    const words = [node, ...imports.flatMap((path) => ["--import", path]), ...rest];
    return spawnInside(host.namespace, words, { P2PVPN_RUN_DIR: this.file("run") });
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
  keepPinging(from: Member, to: string): Promise<Pings> {
    return keepPinging(from, to);
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

/** One of a number, whose files are in a folder. */
export const memberOf = (number: number, folder: string): Member => {
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
export const plug = async (
  { namespace, name, under4, under6 }: Member,
  w: Place,
): Promise<void> => {
  await must(["ip", "netns", "add", namespace]);
  const cable = ["type", "veth", "peer", "name", name, "netns", w.namespace];
  await must(["ip", "link", "add", "under", "netns", namespace, ...cable]);
  await plugIn(w, name);
  const ip = (...words: string[]) => must(["ip", "-netns", namespace, ...words]);
  await ip("link", "set", "lo", "up");
  await ip("address", "add", `${under4}/24`, "dev", "under");
  await ip("address", "add", `${under6}/64`, "dev", "under", "nodad");
  await ip("link", "set", "under", "up");
};
