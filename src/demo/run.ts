/**
 * run — the demo: two engines in two network namespaces, ping, TCP, status; then all is removed.
 *
 *   1. remove what a crashed demo left      topology.ts
 *   2. namespaces and a cable               topology.ts
 *   3. identities and configurations        writeHost
 *   4. two engines                          startHost
 *   5. ping and TCP through the tunnel      measure.ts
 *   6. peers and status of the first one
 *   7. remove all, on error and Ctrl-C too  cleanUp
 */
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ask, askPeers } from "../client.ts";
import { EngineError } from "../schema/errors.ts";
import { formatWireguardKey, makeIdentity, writeSecret } from "../schema/identity.ts";
import type { PeerValue, StatusValue } from "../schema/requests.ts";
import { measureRoundTrips, measureTcp, type RoundTrips, type Throughput } from "./measure.ts";
import { inside, mustRun, startTool } from "./tools.ts";
import {
  folderPrefix,
  makeTopology,
  namespaces,
  removeLeftovers,
  removeNamespace,
  UNDER,
} from "./topology.ts";

/** Tuning: an engine is up in well under a second on an idle machine. */
const UP_MS = 20_000;
const STOP_MS = 5_000;
const PORT = 51_820;

export interface DemoResult {
  readonly ping4: RoundTrips;
  readonly ping6: RoundTrips;
  readonly tcp: Throughput;
  readonly peers: readonly PeerValue[];
  readonly status: StatusValue;
}

export interface DemoOptions {
  /** How long TCP runs. */
  readonly seconds: number;
  readonly signal: AbortSignal;
  readonly progress: (sentence: string) => void;
}

interface Host {
  readonly name: string;
  readonly namespace: string;
  readonly config: string;
}

const toml = (i: number, peerKey: string): string => `[interface]
name = "p2pdemo${i}"
private_key_file = "p2pdemo${i}.key"
addresses = ["10.66.0.${i + 1}/24", "fd66::${i + 1}/64"]
listen_port = ${PORT}
state_dir = ""

[[peer]]
public_key = "${peerKey}"
allowed_ips = ["10.66.0.${2 - i}/32", "fd66::${2 - i}/128"]
endpoint = "${UNDER[1 - i]}:${PORT}"
`;

/** Makes both identities and both configurations. */
const writeHosts = (folder: string): readonly [Host, Host] => {
  const identities = [makeIdentity(), makeIdentity()] as const;
  const host = (i: 0 | 1): Host => {
    const name = `p2pdemo${i}`;
    const config = join(folder, `${name}.toml`);
    writeSecret(join(folder, `${name}.key`), identities[i].text);
    const peer = identities[i === 0 ? 1 : 0].identity.publicKey;
    writeFileSync(config, toml(i, formatWireguardKey(peer)), { mode: 0o600, flag: "wx" });
    return { name, namespace: namespaces(process.pid)[i], config };
  };
  return [host(0), host(1)];
};

/** Runs `start` in a host's namespace. */
const startEngine = (host: Host, runFolder: string): ChildProcess => {
  const cli = [process.execPath, process.argv[1]!, "start", "-c", host.config];
  const env = { ...process.env, P2PVPN_RUN_DIR: runFolder };
  return startTool(inside(host.namespace, cli), { env });
};

/** Waits for the ready line. Errors: EngineError DEMO_FAILED, TOOL_MISSING; abort. */
const isUp = (engine: ChildProcess, host: Host, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    let output = "";
    let errors = "";
    const fail = (reason: string): void => {
      clearTimeout(timer);
      reject(new EngineError("DEMO_FAILED", { reason: `${host.name}: ${reason}` }));
    };
    const timer = setTimeout(() => fail(`not up in ${UP_MS / 1_000} seconds`), UP_MS);
    signal.addEventListener("abort", () => fail("interrupted"), { once: true });
    engine.stdout?.on("data", (text: Buffer) => {
      output = (output + text.toString()).slice(-4_096);
      if (!output.includes(`${host.name} is up`)) return;
      clearTimeout(timer);
      resolve();
    });
    engine.stderr?.on("data", (text: Buffer) => {
      errors = (errors + text.toString()).slice(-4_096);
    });
    engine.once("error", (error) => fail(error.message));
    engine.once("close", (code) => {
      const line = errors.trim().split("\n").at(-1) ?? "";
      fail(
        line.replace(/^p2pvpn-engine: (.*?)\.?$/, "$1") ||
          `the engine ended with exit code ${code}`,
      );
    });
  });

/** Asks an engine to stop, and ends it when it does not. */
const endEngine = (engine: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (engine.exitCode !== null || engine.signalCode !== null || engine.pid === undefined) {
      resolve();
      return;
    }
    const timer = setTimeout(() => engine.kill("SIGKILL"), STOP_MS);
    engine.once("exit", () => {
      clearTimeout(timer);
      resolve();
    });
    engine.kill("SIGTERM");
  });

/** Removes everything, and goes on where one thing cannot be removed. */
const cleanUp = async (engines: readonly ChildProcess[], folder: string): Promise<void> => {
  await Promise.all(engines.map(endEngine));
  for (const namespace of namespaces(process.pid)) await removeNamespace(namespace);
  rmSync(folder, { recursive: true, force: true });
};

const measure = async (folder: string, options: DemoOptions): Promise<DemoResult> => {
  const { signal, progress, seconds } = options;
  const pair = namespaces(process.pid);
  const control = { folder };
  progress("pinging 10.66.0.2 through the tunnel");
  const ping4 = await measureRoundTrips(pair, "10.66.0.2", signal);
  progress("pinging fd66::2 through the tunnel");
  const ping6 = await measureRoundTrips(pair, "fd66::2", signal);
  progress(`sending TCP through the tunnel for ${seconds} s`);
  const tcp = await measureTcp(pair, "10.66.0.2", seconds, signal);
  const peers = await askPeers("p2pdemo0", control);
  const status = await ask("p2pdemo0", { type: "status.get" }, control);
  return { ping4, ping6, tcp, peers, status };
};

/**
 * Runs the demo, and removes everything that it made however it ends.
 *
 * Thread: main.   Errors: EngineError PRIVILEGE, TOOL_MISSING, DEMO_FAILED.
 */
export const runDemo = async (options: DemoOptions): Promise<DemoResult> => {
  const { signal, progress } = options;
  if (process.geteuid?.() !== 0) throw new EngineError("PRIVILEGE", { what: "The demo" });
  await mustRun(["ip", "-V"]);
  await removeLeftovers();
  const folder = mkdtempSync(folderPrefix(process.pid));
  const engines: ChildProcess[] = [];
  const runFolder = join(folder, "run");
  try {
    progress("making two network namespaces and a cable between them");
    await makeTopology(process.pid, signal);
    progress("making two identities and starting two engines");
    const hosts = writeHosts(folder);
    await Promise.all(
      hosts.map((host) => {
        const engine = startEngine(host, runFolder);
        engines.push(engine);
        return isUp(engine, host, signal);
      }),
    );
    return await measure(runFolder, options);
  } catch (error) {
    if (signal.aborted) throw new EngineError("DEMO_FAILED", { reason: "it was interrupted" });
    throw error;
  } finally {
    progress("removing all of it");
    await cleanUp(engines, folder);
  }
};
