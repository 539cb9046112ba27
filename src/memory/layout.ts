/**
 * layout — every byte that two threads share, declared once.
 *
 * One SharedArrayBuffer, the arena, is cut into regions; a region is an array of one struct; a
 * struct is a list of fields. From these tables come the typed-array indices used in hot code,
 * `src/io/native/layout.gen.h` for C, `docs/MEMORY.md`, `docs/DROPS.md`, and a test that fails on
 * overlap, on misalignment, and when two writers share a cache line.
 *
 * Rules: one writer per field; cursors are free-running u32 and wrap by mask; every load or store
 * that another thread waits for goes through `Atomics` (C: `__atomic_*`); packet bytes are read
 * and written plainly between taking and giving back a slot.
 *
 * Numbers that cross threads are u32, or f64 where they may pass 2^32 (counters and times: exact
 * to 2^53, one aligned 8-byte store), or u64 where C alone does the arithmetic (nonces, windows).
 */
import { FRAME_BODY_BYTES, FRAME_HEADER_BYTES } from "../wire/frames.ts";
import { RANDOM_MASK } from "../wire/receiver-index.ts";

/** Lines are fetched in pairs on x86-64 and aarch64, so 128 rather than 64. */
export const CACHE_LINE_BYTES = 128;

/**
 * Who may write a field. `control`, `main`: that thread. `io`: the I/O thread that owns the entry.
 * `worker`: the worker that owns the entry. `claimer`: the thread that holds the job, by
 * compare-and-swap. `any`: several threads, by atomic read-modify-write or where the last wins.
 * `setup`: written before any thread starts, then constant.
 */
export type Writer = "main" | "control" | "io" | "worker" | "claimer" | "any" | "setup";

export interface Field {
  readonly at: number;
  readonly bytes: number;
  readonly writer: Writer;
  readonly unit: string;
  readonly doc: string;
}

export interface Struct {
  readonly name: string;
  readonly doc: string;
  readonly size: number;
  readonly fields: Readonly<Record<string, Field>>;
}

// ---------------------------------------------------------------------------------------------
// Protocol constants (changing one breaks peers)

/** Transport header: type u32, receiver index u32, counter u64. Source: WireGuard paper 5.4.6. */
export const DATA_HEADER_BYTES = 16;
/** AEAD tag after each segment's payload. */
export const TAG_BYTES = 16;
/** Header and tag of one segment; the WireGuard overhead inside UDP. */
export const SEGMENT_OVERHEAD_BYTES = DATA_HEADER_BYTES + TAG_BYTES;
/** Plaintext is padded to a multiple of this, but never beyond the MTU. WireGuard paper 5.4.6. */
export const PADDING_BYTES = 16;

// ---------------------------------------------------------------------------------------------
// Tuning constants (changing one changes speed or memory)

/** A TUN read of 64 KiB, cut into segments with header and tag each, fits; 72 KiB. */
export const SLOT_BYTES = 73_728;
/** Most segments in one job: the kernel's limit for UDP_SEGMENT before 6.9. */
export const JOB_SEGMENTS = 64;
/** Most bytes of one job: a UDP GSO send above this is cut in software (facts 1.5). */
export const JOB_BYTES = 65_340;
/** Jobs one I/O thread may have posted and not yet retired; a power of two. */
export const RING_JOBS = 128;
/**
 * Slots that may wait for a session in one I/O thread; the oldest is dropped. One short of 64: then
 * the generations of one thread's slots fill whole line pairs, which no other thread writes.
 */
export const STAGED_SLOTS = 63;
/** Slots of one I/O thread: every job in flight, every staged packet, and one being filled. */
export const SLOTS_PER_IO = RING_JOBS + STAGED_SLOTS + 1;
/** Counters taken and not yet retired, over all I/O threads (security.md 2; the window is 8128). */
export const UNRETIRED_SEGMENTS = 4_000;
/** Bits of the replay window; 8192 - 64 of them are usable. Source: RFC 6479. */
export const REPLAY_BITS = 8_192;
/** Entries of the event and command queues; powers of two. */
export const QUEUE_ENTRIES = 1_024;
/** Most bytes of a control frame, sent or taken; its padding is not read. */
export const FRAME_BYTES = FRAME_HEADER_BYTES + FRAME_BODY_BYTES;
/** Control frames that may wait for one I/O thread. */
export const FRAMES_PER_IO = 64;
/** Control frames of one I/O thread that may wait for control; a power of two. */
export const ARRIVALS_PER_IO = 256;
/**
 * Tuning: what of one peer's control frames reaches control, by what the peer is; more is dropped
 * (`frameRate`). Bytes are those of frames without their padding. A member may send full frames at
 * its rate without end. Members are not verified yet: every peer is static.
 */
// biome-ignore format: a table
export const FRAME_BUDGETS = [
  { name: "static", framesPerSecond: 20, framesAtOnce: 10, bytesPerSecond: 4_800, bytesAtOnce: 2_400 },
  { name: "member", framesPerSecond: 200, framesAtOnce: 64, bytesPerSecond: 200 * FRAME_BYTES, bytesAtOnce: 65_536 },
] as const;
/** Addresses of the host's own interface that inbound packets may be trusted to reach. */
export const LOCAL_ADDRESSES = 64;
/** Addresses of the whole host from which our own datagrams may leave. */
export const HOST_ADDRESSES = 1_024;
/** Peers of an engine. Entries cost no memory until they are used. */
export const PEERS_MAX = 16_384;
/** Prefixes of an engine, those of all peers and groups together. */
export const ROUTES_MAX = 262_144;
/** Next-hop groups that routes may lead to, besides single peers; see memory/groups.ts. */
export const GROUPS_MAX = 4_096;
/** Peers of one group. */
export const GROUP_PEERS = 8;
/** Most worker threads. */
export const WORKERS_MAX = 64;
/** Most I/O threads: a receiver index names its owner in three bits. */
export const IO_MAX = 8;
/** Words of a route table for each route, by IP version; route-tree.ts says why they suffice. */
export const ROUTE_WORDS = { 4: 10, 6: 38 } as const;
/** Words of a route table that holds nothing, and for what is rounded up. */
export const ROUTE_SPARE_WORDS = 64;

// ---------------------------------------------------------------------------------------------
// Counters: what happened. Each thread has its own block; readers add the blocks.

export interface CounterRow {
  readonly name: string;
  readonly unit: string;
  readonly doc: string;
}

/** Why a packet or datagram went no further. `status --json` prints these under `drops`. */
// biome-ignore format: a table
export const DROPS = [
  { name: "tunInvalid", unit: "packets", doc: "Read from the TUN device and not a whole IPv4 or IPv6 packet, or larger than the tunnel's MTU." },
  { name: "noRoute", unit: "packets", doc: "No peer's allowed IPs contain the inner destination." },
  { name: "linkOnly", unit: "packets", doc: "Multicast, broadcast or link-local, and no peer's allowed IPs contain it: what every kernel sends to every interface. No worry." },
  { name: "ownDatagram", unit: "packets", doc: "A datagram of this engine that came back out of the TUN device: some route leads a peer's endpoint into the tunnel itself." },
  { name: "tooBig", unit: "packets", doc: "Longer than the way to the peer takes, and not to be cut. Its sender was told (`tooBigTold`), where one may be." },
  { name: "noEndpoint", unit: "packets", doc: "The peer has no endpoint yet: it never sent and none is configured." },
  { name: "stagedFull", unit: "packets", doc: "Waited for a session and was the oldest when the pool was full." },
  { name: "stagedExpired", unit: "packets", doc: "Waited for a session that did not come in time." },
  { name: "standingQueue", unit: "packets", doc: "Given up because the device's queue had not been empty for a while, so that TCP slows down and nobody waits behind it." },
  { name: "nonceExhausted", unit: "packets", doc: "The session's counter reached its limit; a new handshake is due." },
  { name: "sendRefused", unit: "datagrams", doc: "The kernel refused to send: no route to the endpoint, or a datagram too large for the path." },
  { name: "sendFull", unit: "datagrams", doc: "The socket's send buffer stayed full." },
  { name: "tooShort", unit: "datagrams", doc: "Shorter than the smallest message of its type." },
  { name: "badType", unit: "datagrams", doc: "Not a message type that this socket takes." },
  { name: "ownTunnel", unit: "datagrams", doc: "Arrived through the tunnel itself, as an inner packet to our port: no peer is reached that way." },
  { name: "unknownIndex", unit: "datagrams", doc: "The receiver index names no session." },
  { name: "suiteRefused", unit: "datagrams", doc: "A handshake message of a cipher suite that this engine does not take." },
  { name: "wrongSuite", unit: "datagrams", doc: "The message type does not belong to the session's cipher suite." },
  { name: "wrongThread", unit: "datagrams", doc: "Data for a session that another I/O thread owns." },
  { name: "sessionExpired", unit: "datagrams", doc: "The session is older than it may be used." },
  { name: "openFailed", unit: "datagrams", doc: "The tag did not verify: forged, damaged, or under an old key." },
  { name: "replayed", unit: "datagrams", doc: "The counter was seen before, or is older than the window." },
  { name: "innerInvalid", unit: "packets", doc: "Decrypted, and not a whole IPv4 or IPv6 packet." },
  { name: "innerSource", unit: "packets", doc: "Decrypted, and its source is not in the allowed IPs of the peer that sent it." },
  { name: "ecnNotCapable", unit: "packets", doc: "Decrypted, not ECN-capable, and the outer header says that congestion was experienced (RFC 6040)." },
  { name: "controlFrame", unit: "frames", doc: "A control frame of a kind that this version does not know, or that nobody takes." },
  { name: "frameInvalid", unit: "frames", doc: "A control frame that is shorter or longer than its kind, longer than its datagram or than any frame, or says what cannot be." },
  { name: "frameRate", unit: "frames", doc: "Control frames of one peer came faster than its budget allows, in frames or in bytes, or than their kind may come." },
  { name: "frameFull", unit: "frames", doc: "A control frame for which there was no room: control had yet to take those before it." },
  { name: "frameMembers", unit: "frames", doc: "A control frame of a kind that verified members alone may send." },
  { name: "frameUnexpected", unit: "frames", doc: "A control frame of a session that has ended, before the peer's hello, or that answers no probe of ours." },
  { name: "frameUnsent", unit: "frames", doc: "A control frame of ours for which there was no session, or no room." },
  { name: "tunRefused", unit: "packets", doc: "The TUN device refused the packet: down, or a checksum or header it does not take." },
  { name: "workerDied", unit: "packets", doc: "Claimed by a worker thread that ended before it was done." },
  { name: "staleJob", unit: "packets", doc: "The session ended between making a job and working on it." },
  { name: "noSlot", unit: "packets", doc: "No slot was free." },
  { name: "noKey", unit: "handshakes", doc: "The interface has no private key yet, or the peer's public key is nobody's." },
  { name: "macInvalid", unit: "datagrams", doc: "A handshake message whose mac1 is wrong." },
  { name: "handshakeInvalid", unit: "datagrams", doc: "A handshake message that did not authenticate, or answers none of ours." },
  { name: "handshakeUnknownPeer", unit: "datagrams", doc: "A handshake from a static key that is no peer of ours." },
  { name: "handshakeReplayed", unit: "datagrams", doc: "A handshake whose timestamp is not newer than the last one accepted." },
  { name: "handshakeRate", unit: "datagrams", doc: "Handshakes of one peer came faster than one each 20 ms." },
  { name: "cookieUnexpected", unit: "datagrams", doc: "A cookie reply that answers no message of ours." },
  { name: "cookieAsked", unit: "datagrams", doc: "Under load, an initiation without a valid mac2: a cookie reply was its answer." },
  { name: "handshakeUnverified", unit: "datagrams", doc: "Under load, a handshake message without a valid mac2, when the budgets of such and of cookie replies were used up." },
  { name: "cookieNeighbour", unit: "datagrams", doc: "Under load, an initiation without a valid mac2 from an address on our own link that the host does not know, when the budget of cookie replies to such was used up." },
  { name: "handshakeVerified", unit: "datagrams", doc: "Under load, a handshake message with a valid mac2, when the budget of such was used up." },
  { name: "handshakeSource", unit: "datagrams", doc: "Under load, handshake messages with a valid mac2 of one IPv4 address or IPv6 /64 came faster than 20 a second." },
  { name: "noIndex", unit: "handshakes", doc: "No receiver index was free, or I/O threads hold all session entries of the peer." },
  { name: "introInvalid", unit: "datagrams", doc: "Of type 9 or 10, and of no length or kind that this version knows." },
  { name: "introRate", unit: "datagrams", doc: "Of type 9 or 10, beyond what is looked at of one type." },
  { name: "introEpoch", unit: "datagrams", doc: "INTRO, WHO, HERE or CHALLENGE under a secret of the network that we do not have: too old, newer than ours, or of nobody." },
  { name: "introTag", unit: "datagrams", doc: "INTRO, WHO, HERE or CHALLENGE whose tag is wrong: its sender does not have the network's secret." },
  { name: "introOld", unit: "datagrams", doc: "INTRO or WHO under an older secret of the network, when the budget of such was used up." },
  { name: "introUnanswered", unit: "datagrams", doc: "INTRO or WHO without a ticket, when the budget of answers to such was used up." },
  { name: "introNeighbour", unit: "datagrams", doc: "INTRO or WHO without a ticket from an address on our own link that the host does not know, when the budget of answers to such was used up." },
  { name: "introReplayed", unit: "datagrams", doc: "A copy of an INTRO that was opened already." },
  { name: "introSource", unit: "datagrams", doc: "INTROs and WHOs with a ticket of one IPv4 address or IPv6 /64 came faster than 20 a second." },
  { name: "introBusy", unit: "datagrams", doc: "INTRO or WHO with a ticket, when the budget of such was used up." },
  { name: "introSealed", unit: "datagrams", doc: "An INTRO that is sealed to another key, or holds no certificate and record." },
  { name: "challengeUnexpected", unit: "datagrams", doc: "A CHALLENGE that answers no INTRO of ours, or comes from elsewhere." },
  { name: "hereUnexpected", unit: "datagrams", doc: "A HERE that answers no WHO of ours, or comes from elsewhere." },
  { name: "hereInvalid", unit: "datagrams", doc: "A HERE that did not open, or holds no certificate and record." },
  { name: "beaconInvalid", unit: "datagrams", doc: "A LAN beacon that is none of our network, or of another time." },
  { name: "channelInvalid", unit: "datagrams", doc: "Of type 10 or 14, and of no channel, or of a version that is not known here." },
  { name: "channelUnexpected", unit: "datagrams", doc: "Of a channel that nobody has with us: late ones, and forged ones." },
  { name: "channelRate", unit: "datagrams", doc: "Answers to our calls of callees that came faster than they are looked into." },
  { name: "channelForged", unit: "datagrams", doc: "Of our channels with callees, and did not authenticate, or came twice." },
  { name: "beaconRate", unit: "datagrams", doc: "A LAN beacon of somebody who was asked within the last minute, or beyond what is looked at." },
  { name: "queueFull", unit: "messages", doc: "A queue between two threads was full." },
] as const satisfies readonly CounterRow[];

/** What went well. `stats` prints these. */
// biome-ignore format: a table
export const COUNTS = [
  { name: "loops", unit: "turns", doc: "Turns of the thread's loop." },
  { name: "tunReads", unit: "reads", doc: "Runs read from the TUN device." },
  { name: "tunPackets", unit: "packets", doc: "Packets read from the TUN device, after splitting." },
  { name: "tunBytes", unit: "bytes", doc: "Bytes of packets read from the TUN device." },
  { name: "tunWrites", unit: "writes", doc: "Writes to the TUN device." },
  { name: "tunWrittenPackets", unit: "packets", doc: "Packets written to the TUN device, before merging." },
  { name: "tunWrittenBytes", unit: "bytes", doc: "Bytes of packets written to the TUN device." },
  { name: "sends", unit: "sends", doc: "Messages given to the kernel; one may hold many datagrams." },
  { name: "sentDatagrams", unit: "datagrams", doc: "Datagrams sent." },
  { name: "sentBytes", unit: "bytes", doc: "UDP payload sent." },
  { name: "receives", unit: "receives", doc: "Messages taken from the kernel; one may hold many datagrams." },
  { name: "receivedDatagrams", unit: "datagrams", doc: "Datagrams received." },
  { name: "receivedBytes", unit: "bytes", doc: "UDP payload received." },
  { name: "keepalivesReceived", unit: "datagrams", doc: "Keepalives that authenticated." },
  { name: "passedOn", unit: "datagrams", doc: "Handshake messages that the kernel merged behind data, handed on to control." },
  { name: "framesPassed", unit: "frames", doc: "Control frames handed on to control." },
  { name: "framesTaken", unit: "frames", doc: "Control frames that were what they have to be, of whatever kind." },
  { name: "framesSent", unit: "frames", doc: "Control frames sealed for a peer." },
  { name: "hellosTaken", unit: "frames", doc: "Hellos of peers." },
  { name: "probesTaken", unit: "frames", doc: "Path-MTU probes of peers, which are answered." },
  { name: "answersTaken", unit: "frames", doc: "Answers to path-MTU probes of ours." },
  { name: "pathMtuChanges", unit: "times", doc: "Times that a peer's path MTU was found to be another." },
  { name: "jobsInline", unit: "jobs", doc: "Jobs the I/O thread did itself." },
  { name: "jobsHandedOver", unit: "jobs", doc: "Jobs a worker did." },
  { name: "workerWakes", unit: "wakes", doc: "Workers woken for a backlog." },
  { name: "keepalives", unit: "messages", doc: "Keepalives sent." },
  { name: "unsegmentedResends", unit: "sends", doc: "Sends repeated without UDP_SEGMENT after EIO or EINVAL." },
  { name: "unmergedRewrites", unit: "writes", doc: "Merged packets that the TUN device refused with EINVAL and that were written one by one." },
  { name: "connected", unit: "sockets", doc: "Connected sockets that busy peers were given." },
  { name: "connectRefused", unit: "times", doc: "Times that a busy peer was given no connected socket: the kernel refused it, or all were in use." },
  { name: "connectedSends", unit: "sends", doc: "Messages given to the kernel by a connected socket." },
  { name: "connectedReceives", unit: "receives", doc: "Messages taken from a connected socket." },
  { name: "connectedErrors", unit: "errors", doc: "Errors on a connected socket, as ICMP messages leave them; what met one was tried again." },
  { name: "localRefused", unit: "sends", doc: "Sends repeated without the local address, which the host does not have any more." },
  { name: "ecnMarked", unit: "packets", doc: "Decrypted packets marked with the congestion that their outer header met." },
  { name: "standingMarked", unit: "packets", doc: "Marked with congestion (ECN) because the device's queue had not been empty for a while." },
  { name: "tooBigTold", unit: "messages", doc: "ICMP messages to inner senders of packets that are longer than the way to the peer takes." },
  { name: "fragmented", unit: "packets", doc: "IPv4 packets without DF that were cut, since they are longer than the way to the peer takes." },
  { name: "mssClamped", unit: "packets", doc: "TCP SYN packets, in either direction, whose MSS was lowered." },
  { name: "handshakesInitiated", unit: "handshakes", doc: "Initiations sent." },
  { name: "responsesTaken", unit: "handshakes", doc: "Responses to our initiations that made a session." },
  { name: "handshakesAnswered", unit: "handshakes", doc: "Responses sent." },
  { name: "handshakesVerified", unit: "datagrams", doc: "Handshake messages with a valid mac2 that were let through under load." },
  { name: "cookiesTaken", unit: "cookies", doc: "Cookie replies to messages of ours." },
  { name: "introsSent", unit: "datagrams", doc: "INTROs sent." },
  { name: "introChallenged", unit: "datagrams", doc: "INTROs without a ticket for their address, answered by a CHALLENGE." },
  { name: "introsTaken", unit: "datagrams", doc: "INTROs of members." },
  { name: "challengesTaken", unit: "datagrams", doc: "CHALLENGEs to INTROs of ours." },
  { name: "whosAnswered", unit: "datagrams", doc: "WHOs that were answered." },
  { name: "heresTaken", unit: "datagrams", doc: "Answers to WHOs of ours." },
  { name: "beaconsSent", unit: "beacons", doc: "LAN beacons made, each for all links." },
  { name: "beaconsTaken", unit: "datagrams", doc: "LAN beacons of members that were asked who they are." },
  { name: "underLoad", unit: "times", doc: "Times that handshakes came faster than can be answered." },
  { name: "sessionsMade", unit: "sessions", doc: "Sessions established, in either role." },
  { name: "roamed", unit: "moves", doc: "Endpoints moved after an authenticated packet from a new address." },
  { name: "insideRefused", unit: "endpoints", doc: "Addresses that became no peer's endpoint, since a route leads them into the tunnel itself." },
] as const satisfies readonly CounterRow[];

export type DropName = (typeof DROPS)[number]["name"];
export type CountName = (typeof COUNTS)[number]["name"];

const numbered = <Name extends string>(
  rows: readonly { readonly name: Name }[],
  from: number,
): Readonly<Record<Name, number>> =>
  Object.fromEntries(rows.map((row, i) => [row.name, from + i])) as Record<Name, number>;

/** Index of each drop reason in a thread's counter block. */
export const DROP = numbered<DropName>(DROPS, 0);
/** Index of each count in a thread's counter block, after the drops. */
export const COUNT = numbered<CountName>(COUNTS, DROPS.length);
/** Counters in one thread's block. */
export const COUNTERS_PER_THREAD = 128;

// ---------------------------------------------------------------------------------------------
// Structs

/** One per process: what all threads watch. */
// biome-ignore format: a table
export const ENGINE = {
  name: "engine",
  doc: "What all threads watch.",
  size: 256,
  fields: {
    stop: { at: 0, bytes: 4, writer: "main", unit: "flag", doc: "1: every thread leaves its loop." },
    handOver: { at: 4, bytes: 4, writer: "main", unit: "mode", doc: "0 choose by measuring, 1 always inline, 2 always hand over." },
    localCount: { at: 148, bytes: 4, writer: "control", unit: "entries", doc: "Entries of `locals` in use." },
    activeRoutes: { at: 128, bytes: 4, writer: "control", unit: "index", doc: "Which of the two route tables readers use, 0 or 1." },
    portOpen: { at: 152, bytes: 4, writer: "control", unit: "flag", doc: "1: I/O threads may open connected sockets on the port." },
    tunIndex: { at: 156, bytes: 4, writer: "control", unit: "index", doc: "Of the tunnel interface, where our sockets are; 0: it is in another namespace." },
    ownPort: { at: 160, bytes: 4, writer: "control", unit: "port", doc: "Source port of what may not come out of the device; 0: our datagrams cannot." },
    hostCount: { at: 164, bytes: 4, writer: "control", unit: "entries", doc: "Entries of `hosts` in use." },
    mtu: { at: 136, bytes: 4, writer: "control", unit: "bytes", doc: "Largest packet inside the tunnel; main writes the first value. Raised before the link's, lowered after it." },
  },
} as const satisfies Struct;

/** One per worker thread. */
// biome-ignore format: a table
export const WORKER = {
  name: "worker",
  doc: "A worker of the pool, and the doorbell it sleeps on.",
  size: 384,
  fields: {
    state: { at: 0, bytes: 4, writer: "worker", unit: "state", doc: "0 absent, 1 awake, 2 asleep. Main clears it after the thread's exit." },
    jobs: { at: 8, bytes: 8, writer: "worker", unit: "jobs (f64)", doc: "Jobs done." },
    threadId: { at: 4, bytes: 4, writer: "worker", unit: "id", doc: "Node's id of the thread." },
    bell: { at: 128, bytes: 4, writer: "any", unit: "rings", doc: "Counts up at each ring; the worker waits on it." },
    tag: { at: 256, bytes: 4, writer: "main", unit: "tag", doc: "The running thread's claim tag; a replacement gets a new one." },
    deadTag: { at: 260, bytes: 4, writer: "main", unit: "tag", doc: "Claim tag of the last thread here that has exited." },
  },
} as const satisfies Struct;

/** One per I/O thread. */
// biome-ignore format: a table
export const IO = {
  name: "io",
  doc: "An I/O thread: what others must know of it.",
  size: 512,
  fields: {
    loops: { at: 0, bytes: 4, writer: "io", unit: "turns", doc: "Free-running; odd while in a turn, even while asleep." },
    handedOver: { at: 4, bytes: 4, writer: "io", unit: "flag", doc: "1 while jobs are handed to workers." },
    freeSlots: { at: 8, bytes: 4, writer: "io", unit: "slots", doc: "Slots that nothing held at the end of the last turn." },
    tooLarge: { at: 12, bytes: 4, writer: "io", unit: "peer + 1", doc: "Peer whose datagram was larger than the link takes; 0: none since the last flush." },
    nowMs: { at: 16, bytes: 8, writer: "io", unit: "ms (f64)", doc: "Boot clock, read once a turn." },
    sleptMs: { at: 24, bytes: 8, writer: "io", unit: "ms (f64)", doc: "Time spent waiting, in all." },
    tail: { at: 128, bytes: 4, writer: "io", unit: "jobs", doc: "Next job to post; free-running u32." },
    head: { at: 132, bytes: 4, writer: "io", unit: "jobs", doc: "Next job to retire; free-running u32." },
    hint: { at: 256, bytes: 4, writer: "any", unit: "jobs", doc: "Where claimers begin to look; advisory." },
    asleep: { at: 384, bytes: 4, writer: "any", unit: "flag", doc: "1: a finisher of the oldest job must signal the wake eventfd. CAS to 0 elects one." },
    connected: { at: 388, bytes: 4, writer: "any", unit: "sockets", doc: "Connected sockets that are open; a thread and its replacement add and subtract." },
  },
} as const satisfies Struct;

/** One super-packet's work; a ring of RING_JOBS per I/O thread. */
// biome-ignore format: a table
export const JOB = {
  name: "job",
  doc: "One run: up to 64 segments of one slot and one session, equal in size but for the last.",
  size: 384,
  fields: {
    kind: { at: 0, bytes: 4, writer: "io", unit: "kind", doc: "0 none (only to be retired), 1 seal, 2 open." },
    slot: { at: 4, bytes: 4, writer: "io", unit: "slot", doc: "Entry of `slots`." },
    slotGeneration: { at: 8, bytes: 4, writer: "io", unit: "generation", doc: "The slot's generation when the job was posted." },
    session: { at: 12, bytes: 4, writer: "io", unit: "session", doc: "Entry of `sessions`." },
    sessionGeneration: { at: 16, bytes: 4, writer: "io", unit: "generation", doc: "The session's generation when the job was posted." },
    suite: { at: 20, bytes: 4, writer: "io", unit: "suite", doc: "0 ChaCha20-Poly1305, 1 AES-256-GCM." },
    count: { at: 24, bytes: 4, writer: "io", unit: "segments", doc: "1 to 64." },
    segmentBytes: { at: 28, bytes: 4, writer: "io", unit: "bytes", doc: "Header, padded payload and tag of every segment but the last; also the stride." },
    lastBytes: { at: 32, bytes: 4, writer: "io", unit: "bytes", doc: "The same of the last segment; at most segmentBytes." },
    counterLow: { at: 36, bytes: 4, writer: "io", unit: "nonces", doc: "First counter of a seal job, low half." },
    counterHigh: { at: 40, bytes: 4, writer: "io", unit: "nonces", doc: "First counter of a seal job, high half." },
    receiverIndex: { at: 44, bytes: 4, writer: "io", unit: "index", doc: "Receiver index in every header of the run." },
    messageType: { at: 48, bytes: 4, writer: "io", unit: "type", doc: "4 or 8." },
    peer: { at: 52, bytes: 4, writer: "io", unit: "peer", doc: "Entry of `peers`." },
    tunBytes: { at: 56, bytes: 4, writer: "io", unit: "bytes", doc: "Seal: bytes of IP packets in the run, for the peer's account." },
    innerVersion: { at: 60, bytes: 4, writer: "io", unit: "4 or 6", doc: "Seal: IP version of the run's packets." },
    innerAddress: { at: 64, bytes: 16, writer: "io", unit: "u32 words", doc: "Seal: inner destination, four words in host order; IPv4 in the first." },
    ecn: { at: 80, bytes: 4, writer: "io", unit: "bits", doc: "ECN bits, 0 to 3. Seal: of the run's packets, for the outer header; open: of the outer header." },
    syn: { at: 84, bytes: 4, writer: "io", unit: "flag", doc: "Seal: 1 when a packet of the run is a TCP SYN, whose MSS may have to be lowered." },
    found: { at: 88, bytes: 4, writer: "io", unit: "FOUND bits", doc: "What is known of the run (memory/numbers.ts); C looks it up when the run was read or received." },
    writeLow: { at: 92, bytes: 4, writer: "io", unit: "mask", doc: "Open: segments 0-31 whose packets passed all checks, and may be written." },
    writeHigh: { at: 96, bytes: 4, writer: "io", unit: "mask", doc: "Open: the same of segments 32-63." },
    state: { at: 128, bytes: 4, writer: "claimer", unit: "word", doc: "Lap, status and claim tag; see memory/ring.ts." },
    failedLow: { at: 132, bytes: 4, writer: "claimer", unit: "mask", doc: "Segments 0-31 that did not open." },
    failedHigh: { at: 136, bytes: 4, writer: "claimer", unit: "mask", doc: "Segments 32-63 that did not open." },
    stale: { at: 140, bytes: 4, writer: "claimer", unit: "flag", doc: "1: slot or session generation had changed; nothing was done." },
    source: { at: 256, bytes: 28, writer: "io", unit: "sockaddr", doc: "Open: outer source, struct sockaddr_in or sockaddr_in6." },
    local: { at: 284, bytes: 28, writer: "io", unit: "sockaddr", doc: "Open: local address that the run was sent to, without a port; a message takes both together." },
  },
} as const satisfies Struct;

/** One key pair of a peer. */
// biome-ignore format: a table
export const SESSION = {
  name: "session",
  doc: "Keys, counters and replay window of one session. Control fills it before it publishes its receiver index.",
  size: 1408,
  fields: {
    generation: { at: 0, bytes: 4, writer: "control", unit: "generation", doc: "Odd while in use; counts up at each fill and each clearing." },
    localIndex: { at: 4, bytes: 4, writer: "control", unit: "index", doc: "Receiver index that the peer writes." },
    remoteIndex: { at: 8, bytes: 4, writer: "control", unit: "index", doc: "Receiver index that we write." },
    peer: { at: 12, bytes: 4, writer: "control", unit: "peer", doc: "Entry of `peers`." },
    suite: { at: 16, bytes: 4, writer: "control", unit: "suite", doc: "0 ChaCha20-Poly1305, 1 AES-256-GCM." },
    initiator: { at: 20, bytes: 4, writer: "control", unit: "flag", doc: "1: we sent the initiation." },
    owner: { at: 24, bytes: 4, writer: "control", unit: "io thread", doc: "The I/O thread that alone writes the replay window." },
    rejectAtMs: { at: 32, bytes: 8, writer: "control", unit: "ms (f64)", doc: "Boot clock after which the session is not used." },
    rejectAt: { at: 40, bytes: 8, writer: "control", unit: "nonces (u64)", doc: "Counters from here on are not used; lowered when the MTU grows (control/limits.ts)." },
    sendKey: { at: 64, bytes: 32, writer: "control", unit: "key", doc: "Seals." },
    receiveKey: { at: 96, bytes: 32, writer: "control", unit: "key", doc: "Opens." },
    sendCounter: { at: 128, bytes: 8, writer: "any", unit: "nonces (u64)", doc: "Next counter; fetch-and-add, never given back." },
    lastCounter: { at: 256, bytes: 8, writer: "io", unit: "nonces (u64)", doc: "Highest counter accepted plus one; 0: none yet." },
    confirmed: { at: 264, bytes: 4, writer: "io", unit: "flag", doc: "1: something authentic arrived on this session." },
    window: { at: 384, bytes: 1024, writer: "io", unit: "bits", doc: "Replay window, 128 words of 64 bits (RFC 6479)." },
  },
} as const satisfies Struct;

/** One peer. */
// biome-ignore format: a table
export const PEER = {
  name: "peer",
  doc: "Where a peer is, which session to use, and what the timers must know.",
  size: 384,
  fields: {
    generation: { at: 4, bytes: 4, writer: "control", unit: "generation", doc: "Odd while a peer has the entry." },
    endpointLock: { at: 8, bytes: 4, writer: "control", unit: "sequence", doc: "Odd while the endpoint is being written (seqlock)." },
    endpoint: { at: 12, bytes: 28, writer: "control", unit: "sockaddr", doc: "struct sockaddr_in or sockaddr_in6; family 0: none." },
    local: { at: 40, bytes: 28, writer: "control", unit: "sockaddr", doc: "Local address to send from, under the same lock; family 0: the kernel chooses." },
    pathMtu: { at: 68, bytes: 4, writer: "control", unit: "bytes", doc: "Largest packet, with its padding, that the way to the peer takes, by authenticated probes; 0: unknown." },
    left: { at: 72, bytes: 28, writer: "control", unit: "sockaddr", doc: "Where the peer was called until somebody set another endpoint; family 0: nowhere." },
    leftUntilMs: { at: 104, bytes: 8, writer: "control", unit: "ms (f64)", doc: "What comes from `left` until then was on its way, and does not move the peer back." },
    frameBudget: { at: 112, bytes: 4, writer: "control", unit: "index", doc: "What its control frames may come to: a row of FRAME_BUDGETS." },
    wantedAtMs: { at: 128, bytes: 8, writer: "any", unit: "ms (f64)", doc: "When an I/O thread last asked for a session; the last one wins." },
    lastSentMs: { at: 136, bytes: 8, writer: "any", unit: "ms (f64)", doc: "Anything sent in a session; the last one wins." },
    lastDataSentMs: { at: 144, bytes: 8, writer: "any", unit: "ms (f64)", doc: "A packet (no keepalive) sent; the last one wins." },
    sentBytes: { at: 152, bytes: 8, writer: "any", unit: "bytes (u64)", doc: "UDP payload sent; atomic add." },
    unsegmentedUntilMs: { at: 160, bytes: 8, writer: "any", unit: "ms (f64)", doc: "The way to the peer does not take UDP_SEGMENT; tried again from then on." },
    roamedAtMs: { at: 168, bytes: 8, writer: "any", unit: "ms (f64)", doc: "When control would have been told of another address, one each ROAMED_EVERY_MS, less a burst; the last one wins." },
    localRefused: { at: 176, bytes: 4, writer: "any", unit: "flag", doc: "1: the kernel refused `local`; not used until something authentic arrives." },
    tooBigAtMs: { at: 184, bytes: 8, writer: "any", unit: "ms (f64)", doc: "When senders to this peer may be told again that packets are too big, less a burst; the last one wins." },
    refusedBytes: { at: 180, bytes: 4, writer: "any", unit: "bytes", doc: "UDP payload of the last datagram that was larger than the link takes." },
    refusedAtMs: { at: 192, bytes: 8, writer: "any", unit: "ms (f64)", doc: "When control was last told of such a datagram." },
    current: { at: 200, bytes: 4, writer: "any", unit: "session + 1", doc: "Session to seal with; 0: none. Control's, and see `next`." },
    next: { at: 204, bytes: 4, writer: "any", unit: "session + 1", doc: "Session that we answered and that waits for its first packet; 0: none. Control's; the I/O thread that opens that packet makes it `current`, both words in one step." },
    lastReceivedMs: { at: 256, bytes: 8, writer: "any", unit: "ms (f64)", doc: "Anything authentic received; the last one wins." },
    lastDataReceivedMs: { at: 264, bytes: 8, writer: "any", unit: "ms (f64)", doc: "A packet (no keepalive) received; the last one wins." },
    receivedBytes: { at: 272, bytes: 8, writer: "any", unit: "bytes (u64)", doc: "UDP payload received and authentic; atomic add." },
    heardLock: { at: 288, bytes: 4, writer: "any", unit: "sequence", doc: "Odd while `heard` is being written (seqlock) by the I/O thread that owns the peer's sessions; 0: never." },
    heardAgainst: { at: 292, bytes: 4, writer: "any", unit: "sequence", doc: "The `endpointLock` that `heard` was written against: it counts, and the endpoint does not, until control writes." },
    heard: { at: 296, bytes: 28, writer: "any", unit: "sockaddr", doc: "Where the peer was heard last, where control has still to hear of it." },
    heardLocal: { at: 324, bytes: 28, writer: "any", unit: "sockaddr", doc: "The local address that it asked." },
    framesDueMs: { at: 280, bytes: 8, writer: "any", unit: "ms (f64)", doc: "When the peer's control frames so far would have been due, at the rate of its budget." },
    frameBytesDueMs: { at: 352, bytes: 8, writer: "any", unit: "ms (f64)", doc: "The same of their bytes." },
  },
} as const satisfies Struct;

/** A next-hop group. */
// biome-ignore format: a table
export const GROUP = {
  name: "group",
  doc: "Several peers to which the same prefixes lead (memory/groups.ts). A peer alone has none.",
  size: 64,
  fields: {
    active: { at: 0, bytes: 4, writer: "control", unit: "peer + 1", doc: "Where packets go; 0: to nobody." },
    entitled: { at: 4, bytes: 32, writer: "control", unit: "peer + 1 each", doc: "Whose packets may come from these prefixes, GROUP_PEERS at most; 0: nobody." },
  },
} as const satisfies Struct;

/** Cursors of a queue of messages between an I/O thread and control, one direction each. */
// biome-ignore format: a table
export const QUEUE = {
  name: "queue",
  doc: "Cursors of a queue with one producer and one consumer: of messages, or of control frames that arrived.",
  size: 256,
  fields: {
    tail: { at: 0, bytes: 4, writer: "any", unit: "messages", doc: "Next message to put; the producer's." },
    head: { at: 128, bytes: 4, writer: "any", unit: "messages", doc: "Next message to take; the consumer's." },
  },
} as const satisfies Struct;

/** One message between an I/O thread and control. */
// biome-ignore format: a table
export const MESSAGE = {
  name: "message",
  doc: "An event (I/O thread to control) or a command (control to I/O thread).",
  size: 72,
  fields: {
    kind: { at: 0, bytes: 4, writer: "any", unit: "kind", doc: "EVENT or COMMAND number; the producer's." },
    peer: { at: 4, bytes: 4, writer: "any", unit: "peer", doc: "Entry of `peers`." },
    session: { at: 8, bytes: 4, writer: "any", unit: "session", doc: "Entry of `sessions`." },
    generation: { at: 12, bytes: 4, writer: "any", unit: "generation", doc: "Of the session when the message was put." },
    address: { at: 16, bytes: 28, writer: "any", unit: "sockaddr", doc: "An outer address." },
    local: { at: 44, bytes: 28, writer: "any", unit: "sockaddr", doc: "The local address that goes with it." },
  },
} as const satisfies Struct;

/** A control frame on its way from control to an I/O thread. */
// biome-ignore format: a table
export const FRAME = {
  name: "frame",
  doc: "A control frame that an I/O thread is to send; COMMAND.frame names the entry.",
  size: 1280,
  fields: {
    taken: { at: 0, bytes: 4, writer: "any", unit: "flag", doc: "1: filled by control; the I/O thread clears it when it has copied the frame." },
    length: { at: 4, bytes: 4, writer: "any", unit: "bytes", doc: "Of the frame; control's, as all that follows." },
    datagramBytes: { at: 8, bytes: 4, writer: "any", unit: "bytes", doc: "UDP payload that it becomes: the frame is followed by zeros." },
    peerGeneration: { at: 12, bytes: 4, writer: "any", unit: "generation", doc: "Of the entry of the peer that it is for: another peer's it must not become." },
    content: { at: 16, bytes: FRAME_BYTES, writer: "any", unit: "bytes", doc: "The frame." },
  },
} as const satisfies Struct;

/** A control frame on its way from an I/O thread to control. */
// biome-ignore format: a table
export const ARRIVAL = {
  name: "arrival",
  doc: "A control frame that an I/O thread opened; the cursors of `arrivalQueues` say whose turn it is.",
  size: 1280,
  fields: {
    peer: { at: 0, bytes: 4, writer: "io", unit: "peer", doc: "Entry of `peers`." },
    session: { at: 4, bytes: 4, writer: "io", unit: "session", doc: "Entry of `sessions`." },
    generation: { at: 8, bytes: 4, writer: "io", unit: "generation", doc: "Of the session, when the datagram was received." },
    datagramBytes: { at: 12, bytes: 4, writer: "io", unit: "bytes", doc: "UDP payload of its datagram." },
    length: { at: 16, bytes: 4, writer: "io", unit: "bytes", doc: "Of the frame." },
    content: { at: 32, bytes: FRAME_BYTES, writer: "io", unit: "bytes", doc: "The frame, without its padding." },
  },
} as const satisfies Struct;

/** An address of this host. */
// biome-ignore format: a table
export const LOCAL = {
  name: "local",
  doc: "An address of this host. Of the tunnel interface (`locals`): packets to it are not forwarded, so AEAD vouches for their checksum. Of any (`hosts`): what comes from it with our port is ours.",
  size: 32,
  fields: {
    version: { at: 0, bytes: 4, writer: "control", unit: "4 or 6", doc: "IP version." },
    address: { at: 4, bytes: 16, writer: "control", unit: "u32 words", doc: "Four words in host order; IPv4 in the first." },
  },
} as const satisfies Struct;

/** What an I/O thread tells control. */
export const EVENT = {
  /** The peer has packets to send and no session, or one that is due for renewal. */
  wanted: 1,
  /** The first authentic thing arrived on a session; with the address that it came from. */
  confirmed: 2,
  /** Something authentic arrived from another address than the peer's endpoint, or at another. */
  roamed: 3,
  /** A datagram to the peer was larger than the link takes; PEER.refusedBytes says how large. */
  tooLarge: 4,
  /** A packet's destination, its version in place of a peer, leads to nobody yet. */
  unknown: 5,
} as const;

/** What control tells an I/O thread. */
export const COMMAND = {
  /** Send an empty message in the peer's current session. */
  keepalive: 1,
  /** The peer has a session now, or a group another active peer: look staged packets up again. */
  release: 2,
  /** The peer is unreachable or gone: drop its staged packets. */
  discard: 3,
  /** Like release, or a keepalive when nothing is staged: the responder waits for a packet. */
  greet: 4,
  /** Sockets were replaced under their descriptors: poll them anew. */
  sockets: 5,
  /** Send the control frame in the entry of `frames` that `session` names. */
  frame: 6,
} as const;

export const SUITE = { chacha20poly1305: 0, aes256gcm: 1 } as const;
export const JOB_KIND = { none: 0, seal: 1, open: 2 } as const;
export const WORKER_STATE = { absent: 0, awake: 1, asleep: 2 } as const;
export const HAND_OVER = { auto: 0, inline: 1, always: 2 } as const;

// ---------------------------------------------------------------------------------------------
// Regions

/** What decides the arena's size; from the configuration. */
export interface Limits {
  readonly ioThreads: number;
  readonly workers: number;
  readonly peers: number;
  readonly routes: number;
}

/**
 * Entries for each peer that there may be: while I/O threads may still hold those of peers that
 * were taken away, as many others can come.
 */
export const ENTRIES_PER_PEER = 2;
/** Sessions per peer: previous, current, next, one being made, and one that is being cleared. */
export const SESSIONS_PER_PEER = 5;

/** Words of one route table, whatever its routes are; a multiple of 2. See route-tree.ts. */
export const routeTableWords = (version: 4 | 6, routes: number): number =>
  ROUTE_WORDS[version] * routes + ROUTE_SPARE_WORDS;

export interface Region {
  readonly name: string;
  /** Bytes of one entry. */
  readonly size: number;
  readonly count: (limits: Limits) => number;
  /** The struct that an entry is, or null for plain bytes or words. */
  readonly struct: Struct | null;
  readonly doc: string;
}

const kib = (bytes: number): string => `${bytes / 1_024} KiB`;

/** Order is the order in memory, and C's region numbers. */
// biome-ignore format: a table
export const REGIONS = [
  { name: "engine", size: ENGINE.size, struct: ENGINE, count: () => 1, doc: "What all threads watch." },
  { name: "workers", size: WORKER.size, struct: WORKER, count: (l) => Math.max(1, l.workers), doc: "One entry per worker." },
  { name: "ios", size: IO.size, struct: IO, count: (l) => l.ioThreads, doc: "One entry per I/O thread." },
  { name: "jobs", size: JOB.size, struct: JOB, count: (l) => l.ioThreads * RING_JOBS, doc: "One job ring per I/O thread." },
  { name: "eventQueues", size: QUEUE.size, struct: QUEUE, count: (l) => l.ioThreads, doc: "Cursors, I/O thread to control." },
  { name: "events", size: MESSAGE.size, struct: MESSAGE, count: (l) => l.ioThreads * QUEUE_ENTRIES, doc: "Messages, I/O thread to control." },
  { name: "commandQueues", size: QUEUE.size, struct: QUEUE, count: (l) => l.ioThreads, doc: "Cursors, control to I/O thread." },
  { name: "commands", size: MESSAGE.size, struct: MESSAGE, count: (l) => l.ioThreads * QUEUE_ENTRIES, doc: "Messages, control to I/O thread." },
  { name: "frames", size: FRAME.size, struct: FRAME, count: (l) => l.ioThreads * FRAMES_PER_IO, doc: `Control frames, control to I/O thread: ${kib(FRAMES_PER_IO * FRAME.size)} for each.` },
  { name: "arrivalQueues", size: QUEUE.size, struct: QUEUE, count: (l) => l.ioThreads, doc: "Cursors of `arrivals`." },
  { name: "arrivals", size: ARRIVAL.size, struct: ARRIVAL, count: (l) => l.ioThreads * ARRIVALS_PER_IO, doc: `Control frames, I/O thread to control: ${kib(ARRIVALS_PER_IO * ARRIVAL.size)} for each.` },
  { name: "counters", size: COUNTERS_PER_THREAD * 8, struct: null, count: (l) => l.ioThreads + 1, doc: "f64 each: one block per I/O thread, then control's." },
  { name: "locals", size: LOCAL.size, struct: LOCAL, count: () => LOCAL_ADDRESSES, doc: "Addresses of the tunnel interface." },
  { name: "hosts", size: LOCAL.size, struct: LOCAL, count: () => HOST_ADDRESSES, doc: "Addresses from which our datagrams may leave." },
  { name: "peers", size: PEER.size, struct: PEER, count: (l) => l.peers * ENTRIES_PER_PEER, doc: "One entry per peer, and one for a peer that it replaces." },
  { name: "sessions", size: SESSION.size, struct: SESSION, count: (l) => l.peers * SESSIONS_PER_PEER, doc: "Locked in memory, kept out of core dumps." },
  { name: "receiverIndices", size: 4, struct: null, count: () => RANDOM_MASK + 1, doc: "u32: session + 1 by the random bits of a receiver index; control writes." },
  { name: "groups", size: GROUP.size, struct: GROUP, count: () => GROUPS_MAX, doc: "Next-hop groups." },
  { name: "routes4", size: 4, struct: null, count: (l) => 2 * routeTableWords(4, l.routes), doc: "u32: two tables from IPv4 address to next hop; control writes the idle one." },
  { name: "routes6", size: 4, struct: null, count: (l) => 2 * routeTableWords(6, l.routes), doc: "u32: the same for IPv6." },
  { name: "slotGenerations", size: 4, struct: null, count: (l) => l.ioThreads * SLOTS_PER_IO, doc: "u32: counts up when a slot is freed; its I/O thread writes." },
  { name: "slots", size: SLOT_BYTES, struct: null, count: (l) => l.ioThreads * SLOTS_PER_IO, doc: "Packet bytes: segment after segment, each [header][payload][tag]." },
] as const satisfies readonly Region[];

export type RegionName = (typeof REGIONS)[number]["name"];

/** All structs, for the generators and the layout test. */
export const STRUCTS: readonly Struct[] = [
  ENGINE,
  WORKER,
  IO,
  JOB,
  SESSION,
  PEER,
  GROUP,
  QUEUE,
  MESSAGE,
  FRAME,
  ARRIVAL,
  LOCAL,
];

/** Byte offset of every region, and the arena's size; regions start on a cache-line pair. */
export interface ArenaLayout {
  readonly base: Readonly<Record<RegionName, number>>;
  readonly count: Readonly<Record<RegionName, number>>;
  readonly bytes: number;
}

/** Packet slots start on a page, so that untouched ones cost nothing. */
const PAGE_BYTES = 4_096;

/** Places the regions one after the other. Errors: RangeError when the arena would pass 4 GiB. */
export const arenaLayout = (limits: Limits): ArenaLayout => {
  const base: Record<string, number> = {};
  const count: Record<string, number> = {};
  let at = 0;
  for (const region of REGIONS) {
    at = Math.ceil(at / PAGE_BYTES) * PAGE_BYTES;
    base[region.name] = at;
    count[region.name] = region.count(limits);
    at += region.size * region.count(limits);
  }
  const bytes = Math.ceil(at / PAGE_BYTES) * PAGE_BYTES;
  if (bytes > 0xffff_ffff) {
    throw new RangeError(
      `the arena would need ${bytes} bytes; lower the limits on peers or routes`,
    );
  }
  return { base: base as ArenaLayout["base"], count: count as ArenaLayout["count"], bytes };
};
