/**
 * task — what main gives the control thread, and what the two tell each other.
 */
import type { ArenaShare } from "../memory/region.ts";
import type { EngineConfig } from "../schema/config.ts";
import type { StatusValue } from "../schema/requests.ts";
import type { AesFound } from "./handshake/suites.ts";
import type { OpenPort, PortOptions } from "./host/sockets.ts";
import type { Timing } from "./sessions/timers.ts";

/** What main found out when it opened device and sockets. */
export interface Opened {
  /** As the kernel named it. */
  readonly name: string;
  readonly features: StatusValue["features"];
  readonly offBecause: StatusValue["offBecause"];
  readonly version: string;
  /** What was said of the configuration when it was read. */
  readonly warned: readonly string[];
  /** Sentences about what is off and should not be; logged at the start. */
  readonly surprises: readonly string[];
  readonly startedMs: number;
}

/** What main gives control. */
export interface ControlTask {
  readonly share: ArenaShare;
  readonly config: EngineConfig;
  readonly opened: Opened;
  readonly timing: Timing;
  readonly aes: AesFound;
  readonly port: OpenPort;
  readonly portOptions: PortOptions;
  /** Index of the interface, and a TUN queue. */
  readonly index: number;
  readonly tun: number;
  /** What I/O threads hand on. */
  readonly passOn: number;
  /** Control's wake-up eventfd, and each I/O thread's. */
  readonly wake: number;
  readonly ioWakes: readonly number[];
}

/** What main tells control: to read the configuration again, or to stop, and why. */
export type Order = "reload" | { readonly stop: string };

/** What control tells main. */
export type ControlReport =
  | { readonly type: "ready" }
  /** Somebody asks for it; `why` is a clause. */
  | { readonly type: "stop"; readonly why: string }
  /** Its work is done. */
  | { readonly type: "ended" }
  | { readonly type: "failed"; readonly message: string };
