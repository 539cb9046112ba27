/**
 * framing-frames — what stands in for control/frames/frames.ts under load: all of it, and frames of
 * a kind that only members may send, numbered and timed, to every engine, for some seconds from
 * when data flows. A second after the last one it prints what it sent and got. See swap.ts.
 */
import { Frames as Original } from "../../src/control/frames/frames.ts";
import type { Peer } from "../../src/control/peers/peer.ts";
import { addon } from "../../src/io/native/addon.ts";
import { FRAME_BODY_BYTES, FRAME_KINDS, type FrameKind } from "../../src/wire/frames.ts";
import { BODY_LEAST, type FramePlan, type FrameTally, TALLY } from "./frame-plan.ts";
import { quantile } from "./statistics.ts";

type FramesOptions = ConstructorParameters<typeof Original>[0];

/** Data that has to have flowed before the first one is sent. */
const FLOWING_BYTES = 4_000_000;
const LOOK_MS = 4;
const REST_MS = 1_000;
/** Nothing but the peer's budget bounds it. */
const KIND: FrameKind = {
  type: 200,
  least: BODY_LEAST,
  most: FRAME_BODY_BYTES,
  perSecond: 1e6,
  burst: 1e6,
  members: false,
  room: "load",
};

const plan = JSON.parse(new URL(import.meta.url).searchParams.get("plan") ?? "{}") as FramePlan;
const body = new Uint8Array(plan.bytes);
const view = new DataView(body.buffer);

/** One frame's body: when, which, then bytes that follow from which. */
const write = (sequence: number): void => {
  body.fill(sequence);
  view.setFloat64(0, addon.bootMs(), true);
  view.setUint32(8, sequence, true);
};

class Load {
  readonly #options: FramesOptions;
  readonly #say: (peer: Peer) => boolean;
  readonly #latencies: number[] = [];
  readonly #timer: NodeJS.Timeout;
  #peer: Peer | null = null;
  #startMs = 0;
  #sent = 0;
  #waited = 0;
  #taken = 0;
  #wrong = 0;
  #late = 0;
  #next = 0;
  readonly #came = new Set<number>();

  constructor(options: FramesOptions, say: (peer: Peer) => boolean) {
    this.#options = options;
    this.#say = say;
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  know(peer: Peer): void {
    this.#peer = peer;
    this.#options.entries.setFrameBudget(peer.entry, plan.budget);
  }

  take(bytes: Uint8Array): void {
    const from = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const sequence = from.getUint32(8, true);
    const rest = bytes.subarray(BODY_LEAST);
    const isWhole = bytes.length === plan.bytes && rest.every((byte) => byte === (sequence & 255));
    if (!isWhole || this.#came.has(sequence)) this.#wrong++;
    else if (sequence < this.#next) this.#late++;
    this.#came.add(sequence);
    this.#next = Math.max(this.#next, sequence + 1);
    this.#taken++;
    this.#latencies.push(addon.bootMs() - from.getFloat64(0, true));
  }

  #look(): void {
    const nowMs = addon.bootMs();
    if (this.#peer === null) return;
    const { received, sent } = this.#options.entries.bytes(this.#peer.entry);
    if (this.#startMs === 0 && received + sent < FLOWING_BYTES) return;
    this.#startMs ||= nowMs;
    const passedS = Math.min((nowMs - this.#startMs) / 1_000, plan.seconds);
    for (let due = Math.floor(passedS * plan.perSecond) - this.#sent; due > 0; due--) {
      write(this.#sent);
      if (!this.#say(this.#peer)) {
        this.#waited++;
        break;
      }
      this.#sent++;
    }
    if (this.#sent < plan.seconds * plan.perSecond) return;
    clearInterval(this.#timer);
    const tookS = (nowMs - this.#startMs) / 1_000;
    setTimeout(() => this.#tell(tookS), REST_MS);
  }

  #tell(tookS: number): void {
    const at = (q: number): number => (this.#taken === 0 ? 0 : quantile(this.#latencies, q));
    const tally: FrameTally = {
      sent: this.#sent,
      tookS,
      waited: this.#waited,
      taken: this.#taken,
      wrong: this.#wrong,
      late: this.#late,
      latencyMs: { median: at(0.5), p99: at(0.99), most: at(1) },
    };
    process.stdout.write(`${TALLY}${JSON.stringify(tally)}\n`);
  }
}

export class Frames extends Original {
  readonly #load: Load;

  constructor(options: FramesOptions) {
    super({
      ...options,
      kinds: [...Object.values(FRAME_KINDS), KIND],
      rooms: {
        load: (_peer, frame) => {
          this.#load.take(frame.body);
          return null;
        },
      },
    });
    this.#load = new Load(options, (peer) => this.say(peer, KIND.type, body));
  }

  override step(peer: Peer, nowMs: number): void {
    super.step(peer, nowMs);
    this.#load.know(peer);
  }
}
