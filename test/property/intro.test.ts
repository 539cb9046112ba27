/**
 * intro — members introduce themselves over a network that loses, doubles and delays, while an
 * insider floods: in the end each knows each, and nobody is asked or told without end.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { INTRO_BYTES } from "../../src/wire/intro.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import { Random } from "../simulation/random.ts";
import { by, type Flying, keysOf, type Node, SECRETS, Wire, withTag } from "../unit/intro-parts.ts";
import { fixedBytes } from "../unit/noise-parties.ts";
import { runs } from "./fuzzing.ts";

const MEMBERS = 4;
/** As timers call: every 5 s, until there is a session. */
const CALL_EVERY_MS = 5_000;
/** Half of what is sent may be lost, and a meeting is four datagrams: one in 16 rounds. */
const ROUNDS_MOST = 400;
const FLOOD = 30;

interface Weather {
  /** Of what is lost: a short list that begins anew would lose the same datagram each time. */
  readonly seed: number;
  readonly lossOf256: number;
  readonly doubledOf256: number;
  /** Numbers of members that have an old secret alone. */
  readonly old: readonly number[];
  readonly flooded: boolean;
}

const weathers: fc.Arbitrary<Weather> = fc.record({
  seed: fc.nat(),
  lossOf256: fc.nat(120),
  doubledOf256: fc.nat(60),
  old: fc.uniqueArray(fc.integer({ min: 1, max: MEMBERS }), { maxLength: 2 }),
  flooded: fc.boolean(),
});

/** INTROs and WHOs of an insider with an old secret, from addresses of its choice. */
const flood = (wire: Wire, round: number): void => {
  const keys = keysOf(SECRETS[1]!);
  for (const { address } of wire.nodes) {
    for (let i = 0; i < FLOOD; i++) {
      const datagram = fixedBytes(`${round} ${i}`, INTRO_BYTES);
      datagram.set([9, 0, 0, 0, i % 2 === 0 ? 0 : 3, keys.low, 0, 0]);
      const from = makeSockaddr(Uint8Array.of(198, 18, round & 255, i), 9);
      wire.bring({ datagram: withTag(datagram, keys), from, to: address });
    }
  }
  wire.flying.length = 0;
};

const knows = (node: Node, other: Node): boolean => node.introduced.includes(by("intro", other));

test("each gets to know each, whatever the weather", () => {
  fc.assert(
    fc.property(weathers, (weather) => {
      const wire = new Wire();
      for (let number = 1; number <= MEMBERS; number++) {
        wire.join(number, weather.old.includes(number) ? { secrets: [SECRETS[1]!] } : {});
      }
      const random = new Random(weather.seed, 1);
      const twice: Flying[] = [];
      wire.carries = (flying) => {
        if (random.below(256) < weather.doubledOf256) twice.push(flying);
        return random.below(256) >= weather.lossOf256;
      };
      const handles = new Map<string, object>();
      const pairs = wire.nodes.flatMap((a) => wire.nodes.filter((b) => b !== a).map((b) => [a, b]));
      const missing = () => pairs.filter(([a, b]) => !knows(b!, a!));
      let rounds = 0;
      for (; missing().length > 0; rounds++) {
        assert.ok(rounds < ROUNDS_MOST, `${missing().length} never met`);
        for (const [a, b] of missing()) {
          const key = `${a!.number} ${b!.number}`;
          const handle = handles.get(key) ?? {};
          handles.set(key, handle);
          a!.intro.introduce(handle, b!.shows.keys.publicKey, b!.address, wire.nowMs);
        }
        wire.pass(CALL_EVERY_MS / 2);
        for (const flying of twice.splice(0)) wire.bring(flying);
        wire.pass(CALL_EVERY_MS / 2);
        if (weather.flooded) flood(wire, rounds);
      }
      // Silence when nobody calls any more.
      const sent = wire.sent.length;
      for (const [a, b] of pairs) a!.intro.met(b!.shows.keys.publicKey);
      wire.pass(600_000);
      assert.equal(wire.sent.length, sent);
    }),
    runs(25),
  );
});
