/**
 * settings — the settings of a running engine by "section.key": what they are, which are live.
 *
 * Rows, checks and names come from the table in `config.ts`. [[peer]] has commands of its own.
 */
import { formatCidr } from "../wire/cidr.ts";
import type { Change } from "./change.ts";
import {
  type EngineConfig,
  formatNodeAddress,
  type LogLevel,
  type NetworkConfig,
  SETTINGS,
  type Setting,
} from "./config.ts";
import { EngineError } from "./errors.ts";
import type { ConfigValue } from "./requests.ts";
import { nearestWithin } from "./words.ts";

/** "interface.mtu". */
export const settingName = ({ section, key }: Setting): string => `${section}.${key}`;

/** Settings of [interface] and [engine], in the order of the file. */
export const ENGINE_SETTINGS: readonly Setting[] = SETTINGS.filter(
  (setting) => setting.section !== "peer",
);

/** What `config set` asks the engine for. */
export type LiveSet =
  | { readonly type: "change"; readonly change: Change }
  | { readonly type: "level"; readonly level: LogLevel };

const LIVE: Readonly<Record<string, (value: unknown) => LiveSet>> = {
  "interface.mtu": (value) => ({ type: "change", change: { mtu: value as number } }),
  "interface.listen_port": (value) => ({ type: "change", change: { listenPort: value as number } }),
  "interface.fwmark": (value) => ({ type: "change", change: { fwmark: value as number } }),
  "engine.log_level": (value) => ({ type: "level", level: value as LogLevel }),
};

/** Names of the settings that `config set` takes. */
export const LIVE_SETTINGS: readonly string[] = Object.keys(LIVE);

/** Text of a flag or of `config set` as the file would have the value. */
export const rawValue = (setting: Setting, text: string): unknown => {
  const { fallback } = setting;
  if (typeof fallback === "number" || typeof fallback === "function") {
    return /^(\d{1,16}|0x[0-9a-f]{1,12})$/i.test(text) ? Number(text) : Number.NaN;
  }
  if (typeof fallback === "boolean") return text === "true" || (text === "false" ? false : text);
  if (Array.isArray(fallback)) return text.split(",").map((item) => item.trim());
  return text;
};

/** Errors: EngineError SETTING_UNKNOWN. */
export const settingCalled = (name: string): Setting => {
  const setting = SETTINGS.find((one) => settingName(one) === name);
  if (setting !== undefined) return setting;
  const key = name.slice(0, 40);
  const same = SETTINGS.find((one) => one.key === name);
  const near = same
    ? settingName(same)
    : nearestWithin(name, SETTINGS.map(settingName), key.length / 2);
  const remedy = near === null ? "`p2pvpn-engine config get` shows them." : `did you mean ${near}?`;
  throw new EngineError("SETTING_UNKNOWN", { key, remedy });
};

/**
 * What is to be asked of the engine to set one setting.
 *
 * Errors: EngineError SETTING_UNKNOWN, SETTING_NOT_LIVE, USAGE.
 */
export const liveSet = (name: string, text: string): LiveSet => {
  const setting = settingCalled(name);
  const live = Object.hasOwn(LIVE, name) ? LIVE[name] : undefined;
  if (live === undefined) {
    const remedy =
      setting.section === "peer"
        ? "change a peer with `p2pvpn-engine peer add KEY`"
        : "set it in the configuration and start the engine again";
    throw new EngineError("SETTING_NOT_LIVE", { key: name, remedy });
  }
  const result = setting.check(rawValue(setting, text));
  if ("value" in result) return live(result.value);
  const shown = JSON.stringify(text.slice(0, 60));
  throw new EngineError("USAGE", { reason: `${name} ${result.problem}, not ${shown}.` });
};

/** Those of [network] by name; none where there is no such section. */
export const networkValues = (network: NetworkConfig | null): ConfigValue =>
  network === null
    ? {}
    : {
        "network.network_file": network.networkFile,
        "network.certificate": network.certificateFile,
        "network.index": network.index.map(formatNodeAddress),
        "network.bootstrap": network.bootstrap.map(formatNodeAddress),
        "network.announce": network.announce.map(formatCidr),
        "network.accept_routes": network.acceptRoutes.map(formatCidr),
        "network.lan": network.lan,
        "network.neighbours": network.neighbours,
      };

/**
 * Every setting of [interface], [network] (where there is one) and [engine] as `config` has it;
 * control keeps it as it is now. A key file is named, never read.
 */
export const configValue = ({
  source,
  interface: link,
  network,
  host,
  engine,
}: EngineConfig): ConfigValue => {
  // biome-ignore format: a table
  const values: ConfigValue = {
    "interface.name": link.name,
    "interface.private_key_file": source?.privateKeyFile ?? "",
    "interface.addresses": link.addresses.map(formatCidr),
    "interface.listen_port": link.listenPort,
    "interface.listen_address": link.listenAddress,
    "interface.bind_device": link.bindDevice,
    "interface.fwmark": link.fwmark,
    "interface.mtu": link.mtu,
    "interface.routes": host.installRoutes ? "install" : "leave",
    "interface.state_dir": host.stateDir ?? "",
    "interface.cipher": link.cipher,
    ...networkValues(network),
    "engine.threads": engine.threads,
    "engine.io_threads": engine.ioThreads,
    "engine.gso": engine.gso,
    "engine.gro": engine.gro,
    "engine.connected_sockets": engine.connectedSockets,
    "engine.tun_offload": engine.tunOffload,
    "engine.quirks": engine.quirks,
    "engine.hand_over": engine.handOver,
    "engine.log_level": host.logLevel,
    "engine.log_file": host.logFile ?? "",
  };
  return values;
};
