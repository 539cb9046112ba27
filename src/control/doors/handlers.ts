/**
 * handlers — what the engine answers on its control socket. Thread: control.
 */
import type { Log, Recent } from "../../log.ts";
import type { Arena } from "../../memory/region.ts";
import type { ChangeValue, ReloadValue } from "../../schema/answers.ts";
import type { Change } from "../../schema/change.ts";
import type { EngineConfig, LogLevel } from "../../schema/config.ts";
import { difference } from "../../schema/difference.ts";
import { EngineError } from "../../schema/errors.ts";
import { formatWireguardKey, isPublicKey, sameKey } from "../../schema/identity.ts";
import { ipv6Problems } from "../../schema/ipv6.ts";
import { loadConfig } from "../../schema/load-config.ts";
import { configValue } from "../../schema/settings.ts";
import { formatCidr } from "../../wire/cidr.ts";
import type { Control } from "../control.ts";
import type { Host } from "../host/host.ts";
import type { Sayer } from "../peer-changes.ts";
import type { Opened } from "../task.ts";
import { currentConfig } from "./current.ts";
import { invite } from "./inviting.ts";
import { explain } from "./network-report.ts";
import { publish } from "./publishing.ts";
import { renew } from "./renewal.ts";
import { peerValue, routesPage, statsValue, statusValue } from "./report.ts";
import type { ControlHandlers } from "./socket.ts";

export interface Served {
  readonly task: { readonly config: EngineConfig; readonly opened: Opened };
  readonly arena: Arena;
  readonly control: Control;
  readonly host: Host;
  readonly nowMs: () => number;
  readonly setLogLevel: (level: LogLevel) => void;
  readonly keyLogOn: () => boolean;
  readonly recent: Recent;
  readonly log: Log;
  readonly stop: () => void;
  readonly pause: (ms: number) => Promise<void>;
}

/**
 * Mistakes that people should hear of; WireGuard, and so UAPI, passes over them.
 * Errors: EngineError OWN_KEY, KEY_OF_NOBODY.
 */
const refuseKeys = ({ peers = [] }: Change, own: Uint8Array | null): void => {
  for (const { publicKey, remove } of peers) {
    const key = formatWireguardKey(publicKey);
    if (remove) continue;
    if (sameKey(publicKey, own)) throw new EngineError("OWN_KEY", { key });
    if (!isPublicKey(publicKey)) throw new EngineError("KEY_OF_NOBODY", { key });
  }
};

/** What a reload uses of the handlers. */
interface Reloading {
  readonly current: () => EngineConfig;
  readonly apply: (change: Change) => Promise<ChangeValue>;
  readonly setLevel: (level: LogLevel) => void;
  /** What was read is what the engine has. */
  readonly adopt: (next: EngineConfig) => void;
}

/** Sets what the host has lost again, and tells it; what cannot be set is said. */
const restore = (host: Host, warn: (sentence: string) => void): string[] => {
  try {
    return host.restore().map((what) => `${what}: was missing, is there again`);
  } catch (error) {
    // All else is done: this takes nothing of it back.
    warn((error as Error).message);
    return [];
  }
};

/** Makes the engine what its file says now. */
const reload = async (served: Served, doing: Reloading): Promise<ReloadValue> => {
  const { host, log } = served;
  const { apply, setLevel, adopt } = doing;
  host.look();
  const now = doing.current();
  const { source } = now;
  log.reopen();
  if (source === undefined) throw new EngineError("NO_CONFIG");
  const said: string[] = [];
  const warn = (sentence: string): void => {
    said.push(sentence);
    log.warn(sentence);
  };
  const next = loadConfig(source.file, source.flags, warn);
  for (const problem of ipv6Problems(next, host.name)) warn(problem);
  const { change, addresses, logLevel, changed, needsRestart } = difference(now, next);
  const readdress = addresses.add.length + addresses.remove.length > 0;
  const { mtu: before } = now.interface;
  // Below its least MTU the kernel takes no IPv6 address.
  const grows = change.mtu !== undefined && change.mtu > before;
  if (grows) await apply({ mtu: change.mtu });
  let warnings: readonly string[];
  try {
    if (readdress) host.setAddresses(next.interface.addresses);
    ({ warnings } = await apply(change));
  } catch (error) {
    if (readdress) host.setAddresses(now.interface.addresses);
    if (grows) await apply({ mtu: before }).catch(() => {}); // the first reason is the one to tell
    throw error;
  }
  if (logLevel !== null) setLevel(logLevel);
  const renewed = renew(served.control, now.network, next.network);
  for (const sentence of renewed.warnings) warn(sentence);
  adopt(next);
  const missing = restore(host, warn);
  const done = [...changed, ...renewed.changed, ...missing];
  const left = [...needsRestart, ...renewed.needsRestart];
  log.info("configuration was read again", {
    changes: done.length,
    ...(readdress ? { addresses: next.interface.addresses.map(formatCidr).join(" ") } : {}),
    ...(missing.length > 0 ? { restored: missing.length } : {}),
    ...(left.length > 0 ? { needsRestart: left.join(" ") } : {}),
  });
  return {
    changed: done,
    needsRestart: left,
    warnings: [...said, ...warnings],
  };
};

/** What is asked of the network's members. */
const networkHandlers = (
  { control, host, nowMs, pause }: Served,
  config: () => EngineConfig,
): Pick<ControlHandlers, "network.explain" | "network.publish" | "network.invite"> => ({
  "network.explain": (subject) => {
    control.hear();
    return explain(control, subject, nowMs());
  },
  "network.publish": (request) => publish(control, request, host.name, pause),
  "network.invite": (request) => invite(control, config().network, request, host.name),
});

export const makeHandlers = (served: Served): ControlHandlers => {
  const { task, arena, control, host, nowMs } = served;
  let { config } = task;
  const apply = async (change: Change, by: Sayer): Promise<ChangeValue> => {
    refuseKeys(change, control.publicKey);
    await control.apply(change, by);
    return { warnings: host.routes.news };
  };
  const current = (): EngineConfig => currentConfig(config, control, host);
  /** The identity that was read is ours; one that only a new start brings is not. */
  const adopt = ({ source, network, interface: { identity } }: EngineConfig): void => {
    if (!sameKey(control.publicKey, identity?.publicKey ?? null)) return;
    config = { ...config, ...(source && { source }), interface: { ...config.interface, identity } };
    if (config.network === null || network === null) return;
    config = { ...config, network: { ...config.network, bundle: network.bundle } };
  };
  const setLevel = (logLevel: LogLevel): void => {
    const before = config.host.logLevel;
    served.setLogLevel(logLevel);
    const what = `engine.log_level: ${before} → ${logLevel}`;
    if (logLevel !== before) served.log.info("changed", { what });
    config = { ...config, host: { ...config.host, logLevel } };
  };
  const fromFile = (change: Change): Promise<ChangeValue> => apply(change, "file");
  return {
    "status.get": () =>
      statusValue({
        arena,
        config,
        opened: task.opened,
        control,
        keyLog: served.keyLogOn(),
        name: host.name,
        up: host.up,
        mtu: host.mtu,
        addresses: host.addresses,
        recent: served.recent,
        nowMs: nowMs(),
      }),
    "peers.get": () => {
      const now = nowMs();
      control.hear();
      return Array.from(control.roster.peers(), (peer) => peerValue(peer, control, now));
    },
    "routes.get": (from, most) => routesPage(control, host, from, most),
    "stats.get": () => statsValue(arena),
    "config.get": () => configValue(current()),
    "change.apply": (change) => apply(change, "command"),
    "engine.reload": async () => {
      try {
        return await reload(served, { current, apply: fromFile, setLevel, adopt });
      } catch (error) {
        const reason = (error as Error).message;
        served.log.warn("reload was refused, nothing has changed", { reason });
        throw error;
      }
    },
    "peers.rekey": (publicKey) => control.rekey(publicKey),
    "log.level": (level) => {
      if (level !== null) setLevel(level);
      return config.host.logLevel;
    },
    ...networkHandlers(served, () => config),
    "engine.stop": served.stop,
  };
};
