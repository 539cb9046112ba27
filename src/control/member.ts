/**
 * member — this host as a member of its network: what the files of [network] hold is opened for the
 * network's room, which gets names, addresses, a folder and the LAN beacon. Thread: control.
 */
import { join } from "node:path";
import { addon } from "../io/native/addon.ts";
import type { Say } from "../log.ts";
import { decodeIssuerFile, decodeMemberFile } from "../members/bundle.ts";
import { decodeDefinition, newerDefinition } from "../members/definition.ts";
import { openSecret } from "../members/secret.ts";
import { formatNetworkId, signingPair } from "../members/sign.ts";
import { BUILT_S } from "../schema/built.ts";
import type { NetworkConfig } from "../schema/config.ts";
import type { Identity } from "../schema/identity.ts";
import type { Control } from "./control.ts";
import { directoryEngine } from "./directory-engine.ts";
import { Multicast, type MulticastOptions } from "./host/multicast.ts";
import { ownAddresses } from "./host/own-addresses.ts";
import { Network } from "./network/network.ts";
import type { NetworkOptions } from "./network/options.ts";
import type { BootstrapPlace, OwnAddress } from "./network/world.ts";
import { NetworkFiles } from "./network-files.ts";
import { NodeNames } from "./node-names.ts";
import type { Names } from "./reach/resolve.ts";
import type { ControlTask } from "./task.ts";

/** Tuning: names of `bootstrap` and `index` are asked for again so often. */
const ASK_EVERY_MS = 300_000;
/** Tuning: of prefixes that the configuration announces. */
const METRIC = 100;

/** What was verified when the configuration was read. */
const verified = <Value>(
  decoded: { readonly ok: true; readonly value: Value } | { readonly ok: false },
): Value => {
  if (!decoded.ok) throw new Error("the files of [network] have changed in memory");
  return decoded.value;
};

/** The folder of a network below `state_dir`. */
const networkFolder = (config: NetworkConfig): string =>
  formatNetworkId(verified(decodeDefinition(config.definition)).networkId);

/** `suites`: a mask of 1 << SUITE that we take. */
const networkOptions = (
  config: NetworkConfig,
  identity: Identity,
  suites: number,
): NetworkOptions => {
  const file = verified(decodeMemberFile(config.bundle));
  const definition = verified(decodeDefinition(config.definition));
  const { publicKey, privateKey, seed } = identity;
  if (seed === null) throw new Error("a plain WireGuard key is no member's");
  return {
    definition: newerDefinition(definition, file.definition),
    certificate: file.certificate,
    list: file.list,
    secret: openSecret(file.sealed, publicKey, privateKey),
    signingKey: signingPair(seed).secretKey,
    handshakeKey: { publicKey, privateKey },
    ...(config.issuer === null ? {} : { issuer: verified(decodeIssuerFile(config.issuer)) }),
    announce: config.announce.map((prefix) => ({ prefix, metric: METRIC })),
    acceptRoutes: config.acceptRoutes,
    neighbours: config.neighbours,
    suites,
    builtS: BUILT_S,
  };
};

/** What of the control thread it needs. */
export interface MemberWorld extends Pick<MulticastOptions, "every" | "later"> {
  readonly control: Control;
  /** Of the interface, now. */
  readonly tunnelName: () => string;
  readonly resolve: Names["resolveAll"];
  readonly say: Say;
}

interface MemberOptions extends MemberWorld {
  readonly config: NetworkConfig;
  readonly identity: Identity;
  /** Null: nothing is kept. */
  readonly stateDir: string | null;
  readonly tunnelIndex: number;
  /** "" is any. */
  readonly listenAddress: string;
  readonly bindDevice: string;
}

export class Member {
  readonly #options: MemberOptions;
  readonly #bootstrap: NodeNames;
  readonly #index: NodeNames;
  readonly #multicast: Multicast | null;
  readonly #endAsking: () => void;

  constructor(options: MemberOptions) {
    const { config, identity, stateDir, control, resolve, say, every, later } = options;
    const folder = stateDir === null ? null : join(stateDir, networkFolder(config));
    this.#options = options;
    this.#bootstrap = new NodeNames({
      setting: "bootstrap",
      nodes: config.bootstrap,
      resolve,
      say,
      onKnown: () => control.network?.ask(),
    });
    this.#index = new NodeNames({
      setting: "index",
      nodes: config.index,
      resolve,
      say,
      onKnown: () => control.network?.indexesMoved(),
    });
    control.join(
      {
        addresses: () => this.#addresses(),
        bootstrap: () => this.#bootstrapPlaces(),
        indexes: () => this.#index.places,
        askIndexNames: () => this.#index.ask(),
        openDirectory: directoryEngine({
          bootMs: () => addon.bootMs(),
          after: later,
        }),
        port: () => control.listenPort,
        store: new NetworkFiles(folder, say),
      },
      (world) => new Network(networkOptions(config, identity, control.suites.offered), world),
    );
    this.#askNames();
    this.#endAsking = every(ASK_EVERY_MS, () => this.#askNames());
    this.#multicast = config.lan
      ? new Multicast({
          tunnel: options.tunnelName,
          make: () => control.network?.beacon() ?? null,
          take: (beacon, from) => control.network?.heardBeacon(beacon, from),
          bootMs: () => addon.bootMs(),
          every,
          later,
        })
      : null;
  }

  #askNames(): void {
    this.#bootstrap.ask();
    this.#index.ask();
  }

  #bootstrapPlaces(): readonly BootstrapPlace[] {
    return this.#bootstrap.places.flatMap(({ sockaddrs, nodeKey }) =>
      sockaddrs.map((sockaddr) => ({ sockaddr, nodeKey })),
    );
  }

  #addresses(): readonly OwnAddress[] {
    const { tunnelIndex: tunnel, listenAddress, bindDevice, control } = this.#options;
    const bound = bindDevice === "" ? 0 : addon.linkIndex(bindDevice);
    const options = { tunnel, listenAddress, bound };
    const own = ownAddresses(options, control.listenPort);
    return own.map((sockaddr) => ({ kind: "local", sockaddr }));
  }

  /** An address of this host came or went, or another lifetime of one; or `up`: the interface. */
  addressesChanged(up = false): void {
    this.#multicast?.changed();
    this.#options.control.network?.addressesChanged(up);
  }

  /** Neighbours are told, and all is closed. */
  close(): void {
    this.#endAsking();
    this.#multicast?.close();
    this.#options.control.withdraw();
  }
}

/** The host becomes a member of its network; null: it has none. */
export const enlist = (
  { config, index, portOptions }: ControlTask,
  world: MemberWorld,
): Member | null => {
  const { identity, listenAddress } = config.interface;
  if (config.network === null || identity === null) return null;
  return new Member({
    ...world,
    config: config.network,
    identity,
    stateDir: config.host.stateDir,
    tunnelIndex: index,
    listenAddress,
    bindDevice: portOptions.bindDevice,
  });
};
