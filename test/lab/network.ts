/**
 * network — makes a network for hosts of a lab, by the commands that people type: an authority, and
 * for each host a key and a certificate; and runs index nodes.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { runTool } from "../../src/demo/tools.ts";
import { cliWords, interfaceOf, PORT } from "./engines.ts";
import { type Host, type Lab, LabError, type Program } from "./lab.ts";

export const INDEX_PORT = 4_740;
const NAME = "lab";
const UP_MS = 30_000;

const must = async (...words: readonly string[]): Promise<void> => {
  const { code, output, errors } = await runTool(cliWords(words));
  if (code === 0) return;
  throw new LabError(`\`${words.join(" ")}\` failed: ${errors.trim() || output.trim()}`);
};

/** What a host's configuration says besides its files. */
export interface MemberSettings {
  /** Index nodes, as in the configuration. */
  readonly index: readonly string[];
  readonly cipher?: "aes256gcm" | "chacha20poly1305";
}

/** Files of a network in the folder of a lab. */
export class LabNetwork {
  readonly #lab: Lab;

  private constructor(lab: Lab) {
    this.#lab = lab;
  }

  #file(name: string): string {
    return join(this.#lab.folder, name);
  }

  /** Makes the authority. Errors: LabError. */
  static async make(lab: Lab): Promise<LabNetwork> {
    const network = new LabNetwork(lab);
    const ranges = ["--cidr", "10.66.0.0/16", "--cidr", "fd66::/64"];
    const out = ["--out", network.#file(NAME), "--no-passphrase"];
    await must("network", "create", "--name", NAME, ...ranges, ...out);
    return network;
  }

  get file(): string {
    return this.#file(`${NAME}.network`);
  }

  /** Key, certificate and configuration of a host; returns the configuration. Errors: LabError. */
  async enroll(host: Host, { index, cipher }: MemberSettings): Promise<string> {
    const { name, inner4, inner6 } = host;
    const [key, request, certificate] = ["key", "request", "cert"].map((ending) =>
      this.#file(`${name}.${ending}`),
    ) as [string, string, string];
    await must("keygen", "--out", key);
    await must("request", "--key", key, "--name", name, "--out", request);
    const signed = ["--authority", this.#file(`${NAME}.authority`), "--request", request];
    const ips = ["--ip", inner4, "--ip", inner6, "--out", certificate];
    await must("network", "sign", ...signed, ...ips);
    const lines = [
      "[interface]",
      `name = "${interfaceOf(host)}"`,
      `private_key_file = "${key}"`,
      `listen_port = ${PORT}`,
      `state_dir = "${this.#file(`${name}.state`)}"`,
      ...(cipher === undefined ? [] : [`cipher = "${cipher}"`]),
      "[network]",
      `network_file = "${this.file}"`,
      `certificate = "${certificate}"`,
      `index = ${JSON.stringify(index)}`,
      "lan = false",
      "[engine]",
      'log_level = "error"',
    ];
    const file = this.#file(`${name}.toml`);
    writeFileSync(file, `${lines.join("\n")}\n`, { mode: 0o600 });
    return file;
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
