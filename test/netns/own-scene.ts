/** own-scene — what tests of our own engines share: a lab, a key for each host, and words for a. */
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { cli, interfaceOf, type Keys, makeKeys, type Plan, writeConfig } from "../lab/engines.ts";
import { cannotRun, Lab } from "../lab/lab.ts";

/** What the file of a host's keys holds. */
type KeyKind = "identity" | "wireguard";

export class OwnScene {
  readonly lab: Lab;
  readonly a: Keys;
  readonly b: Keys;
  /** The interface of a's engine. */
  readonly name: string;

  constructor(lab: Lab, kindOfA: KeyKind) {
    this.lab = lab;
    this.a = makeKeys(lab, lab.a, kindOfA);
    this.b = makeKeys(lab, lab.b, "wireguard");
    this.name = interfaceOf(lab.a);
  }

  /** Writes the configuration of a host, with the other as its peer. Returns its file. */
  configure(host: "a" | "b", plan: Plan = {}): string {
    const peer = host === "a" ? this.b : this.a;
    return writeConfig(this.lab, this.lab[host], this[host], peer.publicKey, plan);
  }

  /** ip(8) on host a. */
  readonly ip = (...words: string[]): Promise<string> =>
    this.lab.must(this.lab.a, ["ip", ...words]);

  /** A command on a's engine, which may be refused. */
  readonly tell = (...words: string[]): ReturnType<typeof cli> =>
    cli(this.lab, this.lab.a, ...words, "-i", this.name);

  /** The same, and it has to succeed. Returns what it prints. */
  readonly ask = async (...words: string[]): Promise<string> => {
    const { code, output, errors } = await this.tell(...words);
    assert.equal(code, 0, errors);
    return output;
  };
}

export interface SceneOptions {
  /** Programs that have to be there. */
  readonly tools?: readonly string[];
  readonly kindOfA?: KeyKind;
  /** Before the tests of the file. */
  readonly begin: (scene: OwnScene) => unknown;
  /** After them, while the lab is still there; also when `begin` failed. */
  readonly end?: () => Promise<void>;
}

/** A scene for the tests of one file. Returns why they cannot run, or false. */
export const setScene = (options: SceneOptions): string | false => {
  const skip = cannotRun(options.tools ?? []);
  let lab: Lab | null = null;
  before(async () => {
    if (skip !== false) return;
    lab = await Lab.make();
    await options.begin(new OwnScene(lab, options.kindOfA ?? "wireguard"));
  });
  after(async () => {
    try {
      await options.end?.();
    } finally {
      lab?.remove();
    }
  });
  return skip;
};
