/**
 * frames — control frames beside data: is one lost, how long are they on their way, and what do
 * they cost a TCP stream.
 *
 *   npm run bench:frames -- [--seconds 10] [--rate 200] [--bytes 1232] [--io 1,2]
 *                        [--json] [--check]
 *
 * Two engines take each other for members and say frames both ways while iperf3 runs between them;
 * before that it runs alone. The time is from one control to the other's. `--check`: exit code 1
 * when one is lost.
 */
import { parseArgs } from "node:util";
import { FRAME_BODY_BYTES } from "../src/wire/frames.ts";
import { type FrameRun, runFrames } from "../test/lab/frame-load.ts";
import { BODY_LEAST } from "../test/lab/frame-plan.ts";
import { Lab, LabError, missingTools } from "../test/lab/lab.ts";
import { runMain } from "../test/lab/main.ts";
import { type Figure, TELLING, tell } from "./bounds.ts";

interface Row {
  readonly ioThreads: number;
  readonly alone: FrameRun;
  readonly beside: FrameRun;
}

const figuresOf = ({ ioThreads, alone, beside }: Row): Figure[] => {
  const [a, b] = beside.ends;
  const lost = a!.sent + b!.sent - a!.taken - b!.taken;
  const worst = (of: "median" | "p99" | "most"): number =>
    Math.max(...beside.ends.map(({ latencyMs }) => latencyMs[of]));
  const io = `${ioThreads} I/O thread(s)`;
  return [
    { name: `${io}: TCP alone`, value: alone.megabitsPerSecond, unit: "Mbit/s" },
    { name: `${io}: TCP beside frames`, value: beside.megabitsPerSecond, unit: "Mbit/s" },
    { name: `${io}: frames sent, both ways`, value: a!.sent + b!.sent, unit: "frames" },
    { name: `${io}: lost`, value: lost, unit: "frames", most: 0 },
    { name: `${io}: on their way, median`, value: worst("median"), unit: "ms" },
    { name: `${io}: on their way, p99`, value: worst("p99"), unit: "ms" },
    { name: `${io}: on their way, most`, value: worst("most"), unit: "ms" },
  ];
};

const main = async (): Promise<number> => {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string", default: "10" },
      rate: { type: "string", default: "200" },
      bytes: { type: "string", default: String(FRAME_BODY_BYTES) },
      io: { type: "string", default: "1,2" },
      ...TELLING,
    },
  });
  const missing = missingTools(["iperf3"]);
  if (missing !== null) throw new LabError(missing);
  const [seconds, perSecond, bytes] = [values.seconds, values.rate, values.bytes].map(Number);
  const whole = (value: number | undefined, least: number, most: number): value is number =>
    Number.isInteger(value) && value! >= least && value! <= most;
  const ios = values.io.split(",").map(Number);
  if (
    !whole(seconds, 1, 3_600) ||
    !whole(perSecond, 1, 10_000) ||
    !whole(bytes, BODY_LEAST, FRAME_BODY_BYTES) ||
    !ios.every((io) => whole(io, 1, 8))
  ) {
    const sizes = `--bytes from ${BODY_LEAST} to ${FRAME_BODY_BYTES}`;
    throw new LabError(`--seconds up to 3600, --rate up to 10000, ${sizes}, --io as 1,2.`);
  }
  const rows: Row[] = [];
  const lab = await Lab.make();
  for (const ioThreads of ios) {
    process.stderr.write(`frames: ${ioThreads} I/O thread(s), 2 x ${seconds} s ...\n`);
    const alone = await runFrames(lab, ioThreads, seconds, null);
    const plan = { perSecond, bytes, budget: "member" } as const;
    rows.push({ ioThreads, alone, beside: await runFrames(lab, ioThreads, seconds, plan) });
  }
  lab.remove();
  const figures = rows.flatMap(figuresOf);
  return tell(figures, values, { seconds, perSecond, bytes, rows });
};

void runMain(main);
