/**
 * network — members of a network among the hosts of a lab, and index nodes.
 */
import { join } from "node:path";
import { cliWords, interfaceOf } from "./engines.ts";
import type { Host, Lab, Program } from "./lab.ts";
import { type MemberPlan, writeMemberFile } from "./member-file.ts";
import { Papers } from "./papers.ts";

export const INDEX_PORT = 4_740;
const RANGES = ["10.66.0.0/16", "fd66::/64"];
const UP_MS = 30_000;

/** Files of a network in the folder of a lab. */
export class LabNetwork {
  readonly #lab: Lab;
  readonly papers: Papers;

  /** Makes the authority. */
  constructor(lab: Lab) {
    this.#lab = lab;
    this.papers = Papers.found(lab.folder, "lab", RANGES);
  }

  #file(name: string): string {
    return join(this.#lab.folder, name);
  }

  get file(): string {
    return this.papers.networkFile;
  }

  /** Key, certificate and configuration of a host; returns the configuration. Errors: LabError. */
  async enroll(host: Host, plan: MemberPlan): Promise<string> {
    const { name, inner4, inner6 } = host;
    const [key, certificate, config, stateDir] = ["key", "cert", "toml", "state"].map((ending) =>
      this.#file(`${name}.${ending}`),
    ) as [string, string, string, string];
    const files = { name, key, certificate, config, stateDir, interfaceName: interfaceOf(host) };
    await this.papers.enroll(files, { ips: [inner4, inner6] });
    writeMemberFile(files, this.file, { logLevel: "error", ...plan });
    return config;
  }

  /** Starts an index node on a host, and waits until it is up. Errors: LabError. */
  async startIndex(
    host: Host,
    node = process.execPath,
    before: readonly string[] = [],
  ): Promise<Program> {
    const listen = ["--listen", `${host.under4}:${INDEX_PORT}`];
    const files = ["--network", this.file, "--data", this.#file(`${host.name}.index`)];
    const words = cliWords(["index", ...listen, ...files], node);
    const program = this.#lab.start(host, [...before, ...words]);
    await program.says(" is up", UP_MS);
    return program;
  }
}
