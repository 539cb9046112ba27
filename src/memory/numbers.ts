/**
 * numbers — what C and TypeScript both must know and no struct says. From here they go into
 * `src/io/native/layout.gen.h`; test/tidy/policy.test.ts fails where one stands in C as well.
 *
 * What C says of a run (`FOUND`) is a fact. What follows from it is said in `src/io/`, and for the
 * way of lone packets in `PLAIN`.
 */
import { FRAME_BODY_BYTES, FRAME_HEADER_BYTES } from "../wire/frames.ts";
import {
  AES_TYPE_OFFSET,
  COOKIE,
  DATA_TYPE,
  INITIATION,
  REJECT_AFTER_MESSAGES,
  RESPONSE,
} from "../wire/handshake.ts";
import { CHALLENGE_BYTES, INDEX_TYPE, INTRO_BYTES, INTRO_TYPE } from "../wire/intro.ts";
import { OWNER_MASK, RANDOM_MASK } from "../wire/receiver-index.ts";
import { SOCKADDR_BYTES } from "../wire/sockaddr.ts";
import * as layout from "./layout.ts";
import { EQUAL, KIND, PARTS, RESULT, STEPS_MAX } from "./route-tree.ts";

/** What addon.ioPoll() found ready. */
export const READY = { wake: 1, tun: 2, udp: 4, tunGone: 8 } as const;
/** Result of addon.tunRead(): segments, and: the device is empty. */
export const TUN = { segments: 0xff, drained: 0x100 } as const;
/** Result of addon.receive(): runs, and: little came, and there may be more. */
export const RECEIVE = { runs: 0xff, more: 0x100 } as const;
/** Result of addon.accept(): packets to be written, something was authentic, from elsewhere. */
export const ACCEPT = { packets: 0xff, authentic: 0x100, roamed: 0x200 } as const;
/** Result of addon.lone(): READY, then where addon.tunRead()'s and addon.receive()'s stand. */
export const LONE = { readShift: 8, readMask: 0xfff, runsShift: 20 } as const;

/** What is known of a run (io_find.c): bits of a job's `found`. */
// biome-ignore format: a table
export const FOUND = {
  /** Outbound: the destination leads to a peer; the job names it. */
  peer: 1 << 0,
  /** Outbound: the way to the peer takes the run's packets. */
  fits: 1 << 1,
  /** Outbound: a packet is a TCP SYN, whose MSS may be too large. */
  syn: 1 << 2,
  /** There is a session, the peer's current one or the receiver index's; the job names it. */
  session: 1 << 3,
  /** The session's time is not over. */
  alive: 1 << 4,
  /** The session's suite is AES-256-GCM. */
  aes: 1 << 5,
  /** Inbound: the message type is that of the session's suite. */
  suite: 1 << 6,
  /** Inbound: this I/O thread owns the session. */
  owner: 1 << 7,
  /** Inbound: something authentic came in the session before. */
  confirmed: 1 << 8,
  /** Inbound: a single datagram, which came on the way that the peer's entry names. */
  named: 1 << 9,
  /** Outbound: the destination leads to a group in which nobody is active. */
  nobody: 1 << 10,
} as const;

/** Exactly this is plain, and may go the short way (io_lone.c); anything else is TypeScript's. */
export const PLAIN = {
  outbound: FOUND.peer | FOUND.fits | FOUND.session | FOUND.alive | FOUND.aes,
  inbound:
    FOUND.session |
    FOUND.alive |
    FOUND.aes |
    FOUND.suite |
    FOUND.owner |
    FOUND.confirmed |
    FOUND.named,
} as const;

/** Of both suites. Source: RFC 8439, 2.8; NIST SP 800-38D. */
export const AEAD = { keyBytes: 32, nonceBytes: 12 } as const;

/** Protocols inside IP. Source: IANA, protocol numbers. */
export const PROTOCOL = { icmp: 1, tcp: 6, udp: 17, fragment: 44, icmp6: 58 } as const;

/** ECN bits of an IP header. Source: RFC 3168, 5. */
export const ECN = { notCapable: 0, ce: 3 } as const;

/** addon.datagramReceive(): how many at most, room for each, and for what is said of each. */
export const DATAGRAM = { most: 32, bytes: 2_048, metaBytes: 64, fromAt: 8, localAt: 36 } as const;

/** Answers of addon.nameAsk(): id u32, count u32, then sockaddrs, or why there are none. */
export const NAMES_HEAD_BYTES = 8;

/** TUN's virtio header, padded to the size of our own, so that one frame serves both. */
export const TUN_VNET_BYTES = 16;
/** Its `gso_type`, and one that no kernel knows. Source: linux/virtio_net.h. */
export const VNET_GSO = { none: 0, tcp4: 1, tcp6: 4, udpL4: 5, nobodyKnows: 0x7f } as const;

/** Bits of addon.udpProbe(). */
export const UDP_TAKES = { segment: 1, gro: 2 } as const;

/** Results of calls, and their bits: numbers with a sign in C. */
export const RESULTS = { READY, TUN, RECEIVE, ACCEPT, LONE, UDP_TAKES } as const;

/** The rest. */
export const NUMBERS = {
  DATA_HEADER_BYTES: layout.DATA_HEADER_BYTES,
  TAG_BYTES: layout.TAG_BYTES,
  SEGMENT_OVERHEAD_BYTES: layout.SEGMENT_OVERHEAD_BYTES,
  PADDING_BYTES: layout.PADDING_BYTES,
  SLOT_BYTES: layout.SLOT_BYTES,
  JOB_SEGMENTS: layout.JOB_SEGMENTS,
  JOB_BYTES: layout.JOB_BYTES,
  RING_JOBS: layout.RING_JOBS,
  REPLAY_BITS: layout.REPLAY_BITS,
  FRAME_BYTES: layout.FRAME_BYTES,
  FRAME_HEADER_BYTES,
  FRAME_BODY_BYTES,
  ARRIVALS_PER_IO: layout.ARRIVALS_PER_IO,
  HOST_ADDRESSES: layout.HOST_ADDRESSES,
  GROUP_PEERS: layout.GROUP_PEERS,
  COUNTERS_PER_THREAD: layout.COUNTERS_PER_THREAD,
  SUITE: layout.SUITE,
  DROP: layout.DROP,
  COUNT: layout.COUNT,
  RANDOM_MASK,
  OWNER_MASK,
  SOCKADDR_BYTES,
  REJECT_AFTER_MESSAGES,
  MESSAGE: {
    initiation: INITIATION.type,
    response: RESPONSE.type,
    cookie: COOKIE.type,
    data: DATA_TYPE,
    aesOffset: AES_TYPE_OFFSET,
    initiationBytes: INITIATION.bytes,
    responseBytes: RESPONSE.bytes,
    cookieBytes: COOKIE.bytes,
    intro: INTRO_TYPE,
    index: INDEX_TYPE,
    introBytes: INTRO_BYTES,
    challengeBytes: CHALLENGE_BYTES,
  },
  FOUND,
  PLAIN,
  AEAD,
  PROTOCOL,
  ECN,
  DATAGRAM,
  NAMES_HEAD_BYTES,
  TUN_VNET_BYTES,
  VNET_GSO,
  NODE: KIND,
  RESULT,
  PARTS,
  EQUAL,
  STEPS_MAX,
} as const;
