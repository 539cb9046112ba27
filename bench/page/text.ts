/**
 * text — what a reader of a report has to know, as Markdown.
 *
 * Source: design, section 11; bench/scenario; test/lab/field.ts; docs/HACKING.md, "Benchmarks".
 */
import { markdownTable } from "../report.ts";

// biome-ignore format: a table
const SCENARIOS: readonly string[][] = [
  ["`paper`", "every link is 1 Gbit/s; the rivals' server is flooded, and with us the host of the index", "what hangs on one host, and what does not"],
  ["`direct`", "two peers speak directly, and the tunnel's own port at b is flooded; the attacker's link is 1 Gbit/s, the peers' are not shaped", "what each kind of flood costs, beside the same host without a VPN"],
  ["`speed`", "no flood, nothing shaped", "throughput, small packets, latency, processor time, beside wireguard-go"],
];

/** Before the figures. */
export const HOW_TO_READ = `## How to read this

- **ours** is p2pvpn-engine, under the Node and with the cipher that its row names.
- A figure is the **median** of its runs; in brackets, and as thin bars in charts, the lowest and
  the highest run. A ratio is one of medians; its brackets are the lowest and the highest ratio of
  runs that stood beside each other in time.
- The **attack** is counted where it comes to the victim, as a line counts: with preamble and gap.
  **○**, or a hollow point: less than 95 % of what was asked came, and the row says nothing of the
  rest.
- **×** in a chart's band, **N/A** or 0 in a table: it was measured, and nothing came through.
  **–**: it was not measured.
- Dashed lines are the paper's own figures (its Table 3), from other machines: compare their
  shape, not their height.

${markdownTable(["scenario", "what happens", "what it shows"], SCENARIOS)}
`;

/** After the figures. */
export const METHOD = `## Method and its pitfalls

- **One machine.** Hosts are network namespaces around one switch. Both tunnel ends, the load and
  the flooder share its processors: figures compare schemes, and are not what two hosts would
  reach. Ratios hold better than figures.
- **Interleaved.** Schemes take turns within each run, so that a machine whose speed changes does
  so for all of them. A cell (one scheme, one load, one measurement) has a laboratory of its own.
- **Apart.** Latency (a ping each 10 ms) is measured without TCP and TCP (one iperf3 stream, its
  first second left out) without pings: else one would measure the queue that the other fills.
  Both at once is told and not judged.
- **The flood** begins before a measurement and lasts beyond it. It is sent at an exact rate by a
  program that runs before all others, as if the attacker had processors of his own; floods of one
  source leave as 200 µs of datagrams at a time, cut at the attacker's link. What came is what the
  victim's link received less what the peers sent there. Through a server, peers and
  flood share that link; what the switch dropped is taken to be of the flood. 1,000 Mbit/s of
  64-byte junk are 960,000 packets a second, and 500 Mbit/s of initiations 320,000, out of reach of
  one processor: such rows are marked.
- **Silence is a result.** A tunnel that a flood has silenced carried 0 and lost all pings. A cell
  that could not be measured has no figure, and says why.
- **Virtual links** carry super-packets of 64 KiB whole, which no cable does. In \`paper\` and
  \`direct\` they segment as network cards do, and receive work is spread over all processors, so
  that the flood's is not billed to the flooder. In \`speed\` they are as they come, unless a row
  says that the veth's offloads are off.
- **Shaped links** have 1 Gbit/s and a queue of 20 ms. A full queue is latency: 20 ms of it belong
  to the link.
- **The index node**, by which our members found each other, is what is flooded in \`paper\`; none
  of their packets passes it. It and n2n's supernode give way to those that carry, as if their host
  had processors of its own.
- **The limit** is the same load between the same hosts without a VPN. A tunnel beyond it would be
  a fault of the method.
- **Processor time** is the whole machine's, the flood's included, for each gigabyte of payload.
`;
