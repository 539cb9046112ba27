/**
 * mischief — what befalls machines and links while a simulation storms; each leaves things so that
 * they can come right again.
 */
import type { Machine } from "./machine.ts";
import type { Network, Weather } from "./network.ts";
import { CALM } from "./network.ts";
import type { Random } from "./random.ts";
import type { Schedule } from "./schedule.ts";
import { WAYS } from "./stage.ts";

const SECOND_MS = 1_000;
const HOUR_MS = 3_600 * SECOND_MS;
const DAY_MS = 24 * HOUR_MS;
const YEAR_MS = 365 * DAY_MS;

export interface Scene {
  readonly schedule: Schedule;
  readonly random: Random;
  readonly network: Network;
  readonly machines: readonly Machine[];
  readonly count: (what: string) => void;
  readonly trace: (text: string) => void;
  /** When the storm is over: what lasts a while ends by then. */
  readonly endMs: number;
}

/** Ends something after a while, within the storm. */
const later = (scene: Scene, mostMs: number, act: () => void): void => {
  const atMs = scene.schedule.nowMs + scene.random.between(0, mostMs);
  scene.schedule.at(Math.min(atMs, scene.endMs), act);
};

const otherThan = (scene: Scene, machine: Machine): Machine => {
  const others = scene.machines.filter((other) => other !== machine);
  return scene.random.pick(others);
};

type Act = (scene: Scene, machine: Machine) => void;

const restart: Act = (scene, machine) => {
  const { random } = scene;
  if (machine.life === null) return;
  machine.halt(random.chance(0.6), random.chance(0.3), random.chance(0.3));
  if (random.chance(0.2)) machine.changeSuites();
  later(scene, random.chance(0.5) ? SECOND_MS : 60 * SECOND_MS, () => {
    if (machine.life === null) machine.boot();
  });
};

/** A suspend: some seconds of it are lived through, the rest are a leap of its boot clock. */
const suspend: Act = (scene, machine) => {
  const { random } = scene;
  if (!machine.awake) return;
  const forMs = Math.min(
    random.between(SECOND_MS, 90 * SECOND_MS),
    scene.endMs - scene.schedule.nowMs,
  );
  machine.sleep(forMs);
  if (random.chance(0.5)) {
    machine.jumpBoot(random.between(0, 8 * HOUR_MS));
    machine.jumpUnix(random.between(0, 8 * HOUR_MS));
  }
};

const jumpBoot: Act = ({ random }, machine) =>
  machine.jumpBoot(
    random.chance(0.5) ? random.between(0, 200 * SECOND_MS) : random.between(0, DAY_MS),
  );

const jumpUnix: Act = ({ random }, machine) => {
  const span = random.chance(0.5) ? 10 * YEAR_MS : 300 * SECOND_MS;
  machine.jumpUnix(random.between(-span, span));
};

const rekey: Act = (scene, machine) => {
  const { random } = scene;
  const peer = otherThan(scene, machine);
  const times = random.chance(0.8) ? 1 : 6;
  for (let i = 0; i < times; i++) {
    scene.schedule.after(i * random.between(0, 60), () => {
      if (machine.awake) machine.life?.control.rekey(random.chance(0.5) ? peer.publicKey : null);
    });
  }
};

const removePeer: Act = (scene, machine) => {
  const peer = otherThan(scene, machine);
  if (machine.removed.has(peer.id)) return;
  machine.removed.add(peer.id);
  machine.change({ peers: [{ publicKey: peer.publicKey, remove: true }] });
  later(scene, 60 * SECOND_MS * scene.random.fraction(), () => {
    machine.removed.delete(peer.id);
    machine.change({ peers: [machine.peerChange(peer.id)] });
  });
};

/** All peers are said anew, as `wg syncconf` does. */
const replacePeers: Act = ({ machines }, machine) => {
  const here = machines.filter(({ id }) => id !== machine.id && !machine.removed.has(id));
  machine.change({ replacePeers: true, peers: here.map(({ id }) => machine.peerChange(id)) });
};

/** A new preshared key at one end, at the other a while later. */
const changePsk: Act = (scene, machine) => {
  const peer = otherThan(scene, machine);
  const presharedKey = scene.random.chance(0.7) ? scene.random.bytes(32) : null;
  const set = (at: Machine, of: Machine): void => {
    at.peers.get(of.id)!.presharedKey = presharedKey;
    if (!at.removed.has(of.id)) at.change({ peers: [{ publicKey: of.publicKey, presharedKey }] });
  };
  set(machine, peer);
  later(scene, 20 * SECOND_MS, () => set(peer, machine));
};

const changeKeepalive: Act = (scene, machine) => {
  const peer = otherThan(scene, machine);
  const settings = machine.peers.get(peer.id)!;
  settings.keepaliveS = scene.random.pick([0, 1, 5, 25]);
  const persistentKeepaliveS = settings.keepaliveS;
  if (machine.removed.has(peer.id)) return;
  machine.change({ peers: [{ publicKey: peer.publicKey, persistentKeepaliveS }] });
};

/** For a while, or up again at once: before the port is left. */
const down: Act = (scene, machine) => {
  machine.setUp(false);
  if (scene.random.chance(0.3)) machine.setUp(true);
  else later(scene, 20 * SECOND_MS, () => machine.setUp(true));
};

/** The machine is seen at other addresses by some or all. */
const roam: Act = ({ random, network, machines }, machine) => {
  const oldStays = random.chance(0.4);
  for (const peer of machines) {
    if (peer === machine || random.chance(0.3)) continue;
    network.move(machine.id, peer.id, random.below(WAYS.length), oldStays);
  }
};

/** Too many initiations; a friend's among them needs a cookie. */
const flood: Act = (scene, machine) => {
  const { random, network, schedule } = scene;
  const friend = otherThan(scene, machine);
  const count = 150 + random.below(350);
  const gapMs = random.between(0.2, 1.2);
  network.flood(machine.id, count, gapMs);
  schedule.after(random.between(0.2, 1) * count * gapMs, () => {
    if (friend.awake) friend.life?.control.rekey(machine.publicKey);
  });
};

const replay: Act = (scene) => {
  const count = 1 + scene.random.below(30);
  for (let i = 0; i < count; i++) {
    scene.schedule.after(scene.random.between(0, 2_000), () => scene.network.replay());
  }
};

// biome-ignore format: a table
const ACTS: readonly (readonly [name: string, weight: number, act: Act])[] = [
  ["restart", 4, restart],
  ["suspend", 3, suspend],
  ["jump of a boot clock", 2, jumpBoot],
  ["jump of a Unix clock", 3, jumpUnix],
  ["rekey", 4, rekey],
  ["peer removed", 3, removePeer],
  ["peers replaced", 1, replacePeers],
  ["preshared key", 2, changePsk],
  ["persistent keepalive", 2, changeKeepalive],
  ["interface down", 1, down],
  ["move", 5, roam],
  ["flood", 2, flood],
  ["replay", 6, replay],
];

const WEIGHTS = ACTS.reduce((sum, [, weight]) => sum + weight, 0);

/** One thing happens to one machine. */
export const befall = (scene: Scene): void => {
  let at = scene.random.below(WEIGHTS);
  const machine = scene.random.pick(scene.machines);
  for (const [name, weight, act] of ACTS) {
    at -= weight;
    if (at >= 0) continue;
    scene.count(`act: ${name}`);
    scene.trace(`${machine.id} suffers: ${name}`);
    act(scene, machine);
    return;
  }
};

/** A weather, from none to a cut. */
export const anyWeather = (random: Random): Weather => {
  if (random.chance(0.15)) return CALM;
  if (random.chance(0.1)) return { ...CALM, loss: 1 };
  return {
    loss: random.pick([0, 0, 0.02, 0.1, 0.4, 0.9]),
    twice: random.pick([0, 0.02, 0.5]),
    damage: random.pick([0, 0, 0.02, 0.2]),
    delayMs: random.pick([1, 20, 200]),
    spreadMs: random.pick([0, 5, 50, 500, 5_000]),
  };
};
