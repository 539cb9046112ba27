/**
 * addon — the typed face of the C addon, and the only place that loads it.
 *
 * The addon says what is so, and not what follows from it (ARCHITECTURE.md). Calls return a count
 * or a value ≥ 0, or `-errno`, and throw TypeError for arguments of the wrong kind. Only calls
 * whose result has no room for an errno (watch, addressList, netlinkRead, ioOpen) throw an Error
 * with a `code` for what the kernel says. Each thread that imports this file has its own instance
 * (Node-API instance data); nothing is static in C.
 *
 * Packet calls name a job by its index in the `jobs` region and read and write the job's fields
 * there, so that no call allocates: what is given and returned fits 32 bits with a sign, and times
 * are read from the arena. See `layout.ts` for every field.
 */
import { createRequire } from "node:module";
import { EngineError } from "../../schema/errors.ts";

/** An I/O thread's file descriptors and buffers in C; one per I/O thread. */
export interface IoHandle {
  readonly __io: unique symbol;
}

/** A file descriptor watched by this thread's event loop. */
export interface WatchHandle {
  readonly __watch: unique symbol;
}

/** What the kernel and the node binary can do. */
export interface CryptoProbe {
  /** OpenSSL's version text, or "" when its functions are not in the node binary. */
  readonly openssl: string;
  /** AES and carry-less multiplication instructions are there. */
  readonly aesHardware: boolean;
}

export interface IoOptions {
  /** This I/O thread's number; selects its rings and slots. */
  readonly thread: number;
  readonly tun: number;
  /** Size of TUN's virtio header: 16, or 0 when the device has none. */
  readonly vnetHeaderBytes: number;
  /** Data sockets, or -1. */
  readonly udp4: number;
  readonly udp6: number;
  /** The thread's wake-up eventfd. */
  readonly wake: number;
  readonly gso: boolean;
  /** Merge UDP towards the TUN. */
  readonly uso: boolean;
  /** Merge TCP towards the TUN. */
  readonly tso: boolean;
  /** Bytes moved in 100 ms from which on a peer gets a socket of its own; 0: never. */
  readonly busyBytes: number;
}

/** A netlink message, decoded. */
export interface LinkEvent {
  readonly kind:
    | "link"
    | "linkGone"
    | "address"
    | "addressGone"
    | "route"
    | "routeGone"
    | "overrun";
  readonly index: number;
  readonly name: string;
  readonly up: boolean;
  readonly mtu: number;
}

export interface Addon {
  /** Keeps a pointer to the arena. Call once per thread, before any call that names a job. */
  attach(arena: Uint8Array, bases: Uint32Array, counts: Uint32Array): void;
  /** CLOCK_BOOTTIME in milliseconds, with a fraction; runs on through a suspend. */
  bootMs(): number;
  cryptoProbe(): CryptoProbe;
  /** Text of an errno, e.g. "Permission denied". */
  errorText(errno: number): string;

  // Memory and process
  /**
   * Keeps part of the arena out of core dumps and locks its pages, each from its first use on.
   * Bytes that are locked, from the start of the part: fewer where RLIMIT_MEMLOCK allows no more.
   */
  lockMemory(offset: number, bytes: number): number;
  /** prctl(PR_SET_DUMPABLE, 0) and RLIMIT_CORE 0. */
  noCoreDumps(): number;
  /** 1: the process can get more than CAP_NET_ADMIN. */
  privilegesExcess(): number;
  /**
   * Raises the limit of locked memory, gives up all capabilities but CAP_NET_ADMIN where it may and
   * executes node again with these words (argv[0] included). Returns only when that failed: -errno.
   * Thread: main, before any other thread.
   */
  privilegesReexecute(argv: string[]): number;
  /**
   * Marks every descriptor from 3 on close-on-exec but for these, at most 64, which stay as they
   * are: what a daemon must inherit and nothing else. 0 or -errno. Thread: main.
   */
  handlesCloseOnExec(keep: readonly number[]): number;
  eventOpen(): number;
  eventSignal(fd: number): number;
  eventClear(fd: number): number;
  close(fd: number): number;
  /** Calls back on this thread's event loop whenever fd is readable. */
  watch(fd: number, callback: () => void): WatchHandle;
  unwatch(handle: WatchHandle): void;
  /** sd_notify(3): 0 when NOTIFY_SOCKET is not set. */
  notify(state: string): number;

  // TUN
  tunOpen(name: string, multiQueue: boolean, vnetHeader: boolean): number;
  tunName(fd: number): string;
  /** 1 the device is up, in whatever namespace, 0 it is down, or -errno: it is gone. */
  tunUp(fd: number): number;
  /** 0 none, 1 checksum and TSO, 2 also USO. */
  tunOffload(fd: number, level: number): number;
  /**
   * Writes a merged packet that reaches nobody: 1 taken, 0 taken if the device were up (or that was
   * looked at first), -EINVAL refused. Types are VNET_GSO's; see probe.h.
   */
  tunProbe(fd: number, gsoType: number): number;

  /**
   * Asks the system for a host's addresses, in a thread of its own that nobody waits for, since
   * getaddrinfo blocks. The answer is a datagram to `fd`, one end of datagramPair(); see names.h.
   */
  nameAsk(fd: number, id: number, name: string): number;

  // Links, addresses, routes (rtnetlink); address is 4 or 16 bytes
  linkIndex(name: string): number;
  /** As this thread's namespace calls it now; "": it has no such link. */
  linkName(index: number): string;
  linkMtu(name: string): number;
  linkFlags(name: string): number;
  /** A value of -1 leaves a property as it is; up: 1, 0 or -1. */
  linkSet(
    index: number,
    mtu: number,
    up: number,
    txQueueLength: number,
    gsoMaxSegments: number,
    gsoMaxBytes: number,
  ): number;
  addressAdd(index: number, address: Uint8Array, prefixLength: number): number;
  addressRemove(index: number, address: Uint8Array, prefixLength: number): number;
  /** Addresses of a link as "10.0.0.1/24" texts; 0: the first 1,024 of all links. */
  addressList(index: number): string[];
  routeAdd(index: number, address: Uint8Array, prefixLength: number, metric: number): number;
  routeRemove(index: number, address: Uint8Array, prefixLength: number, metric: number): number;
  /** A socket for the three calls below; see neighbour.h. */
  neighbourOpen(): number;
  /**
   * 1: a datagram to `sockaddr` has the kernel look for somebody on a link whom it does not know;
   * else 0. `local` as datagramReceive gave it, or empty; `bound`: it leaves by local's interface.
   */
  neighbourUnknown(
    fd: number,
    sockaddr: Uint8Array,
    local: Uint8Array,
    mark: number,
    bound: boolean,
  ): number;
  /** Entries that stay until the link is set down; 4 or 16 bytes. */
  neighbourAdd(fd: number, index: number, address: Uint8Array): number;
  neighbourRemove(fd: number, index: number, address: Uint8Array): number;
  /**
   * Which way a UDP datagram takes between two sockaddrs (`from` may be empty) with this firewall
   * mark. `result`, five u32: index of the link, 0 when it stays on this host; prefix length,
   * table and metric of the route, where `match` asks for the route; 1 when the next one is a
   * router. 0, or -errno: it goes nowhere.
   */
  routeFind(
    to: Uint8Array,
    from: Uint8Array,
    mark: number,
    match: boolean,
    result: Uint8Array,
  ): number;
  /** A socket that receives link, address and route events. */
  netlinkOpen(): number;
  netlinkRead(fd: number): LinkEvent[];

  // UDP
  /** Binds; port 0 lets the kernel choose. address "" is the wildcard. mark 0 is none. */
  udpOpen(family: 4 | 6, address: string, port: number, mark: number, device: string): number;
  /** -EADDRINUSE when somebody else has the port, 0 when not; nothing stays open. */
  udpTaken(address: string, port: number, device: string): number;
  udpPort(fd: number): number;
  /**
   * Puts a socket in the place of another, in all threads, and closes the first number even when
   * that fails. Takes: newFd. Afterwards whoever watches oldFd watches it anew: I/O threads by
   * COMMAND.sockets, control by Datagrams.resume().
   */
  udpReplace(newFd: number, oldFd: number): number;
  /** Puts a socket in the place of fd that has no port, hears nothing and sends nothing. */
  udpHush(fd: number): number;
  /** SO_MARK; 0 is none. */
  udpMark(fd: number, mark: number): number;
  /** UDP_TAKES bits; UDP_GRO is on then: for a socket that is not kept. */
  udpProbe(fd: number): number;
  udpGro(fd: number, on: boolean): number;
  udpConnect(fd: number, sockaddr: Uint8Array): number;
  /** Classic BPF, 8 bytes an instruction; kind 0: socket filter, 1: reuseport group's program. */
  filterAttach(fd: number, kind: 0 | 1, program: Uint8Array): number;
  /**
   * Receives up to DATAGRAM.most datagrams, one each DATAGRAM.bytes of `bytes`. Each `metaBytes`
   * of meta: u32 length, sockaddr at `fromAt`, local address and interface as one at `localAt`.
   */
  datagramReceive(fd: number, bytes: Uint8Array, meta: Uint8Array): number;
  /** `local` is a sockaddr as datagramReceive gave it, or empty. */
  datagramSend(fd: number, datagram: Uint8Array, sockaddr: Uint8Array, local: Uint8Array): number;

  /** A pair of connected Unix datagram sockets, as two i32 in native order. */
  datagramPair(fds: Uint8Array): number;

  // The packet path (I/O thread)
  ioOpen(options: IoOptions): IoHandle;
  ioClose(io: IoHandle): void;
  /**
   * Handshake messages that the kernel merged behind data are sent on to this socket as
   * [source 28][local 28][datagram]; -1: they are dropped.
   */
  ioPassTo(io: IoHandle, fd: number): void;
  /**
   * Control frames that were opened are put into the thread's ring of `arrivals`, and this eventfd
   * is rung; -1: they are dropped.
   */
  ioRingTo(io: IoHandle, fd: number): void;
  /** Waits; READY bits, or -errno. Writes `loops`, `nowMs`, `sleptMs`. */
  ioPoll(io: IoHandle, timeoutMs: number): number;
  /** The same for the wake-up eventfd alone, while there is no room for what others hold. */
  ioPollWake(io: IoHandle, timeoutMs: number): number;
  /**
   * The sockets were replaced or given another mark: watches them, and closes those of busy peers.
   * 0 or -errno.
   */
  ioRebind(io: IoHandle): number;
  /** Closes sockets of peers that are idle or gone; to be called a few times a second. */
  ioTend(io: IoHandle): void;
  /** The peer needs no socket of its own any more. */
  ioDisconnect(io: IoHandle, peer: number): void;
  /**
   * Takes a packet that comes alone its whole way, where what is found of it is PLAIN; io_lone.c.
   * `ready`: what ioPoll gave; `job` and those after it have slots for `count` runs. The bits that
   * are still ready; where LONE says, tunRead()'s result or receive()'s runs, when `job` holds what
   * came instead. After a wake-up it does nothing.
   */
  lone(io: IoHandle, job: number, count: number, ready: number): number;
  /**
   * ioPoll() and lone() in turn, a few times at most, while packets come alone. Returns what lone()
   * does, 0 when nothing came, or -errno.
   */
  ioWait(io: IoHandle, job: number, count: number, timeoutMs: number): number;
  /**
   * Reads and splits one run into the job's slot, and looks it up: `found`, and what it names. TUN
   * says what it returns; 0: nothing was there; or -errno.
   */
  tunRead(io: IoHandle, job: number): number;
  /**
   * The job's packets are longer than the way to its peer takes: tells their senders, and keeps
   * those that may be cut for the next tunRead. The slot is free afterwards. 0 or -errno.
   */
  tooBig(io: IoHandle, job: number): number;
  /** Lowers the MSS of the run's TCP SYN packets to what the way to its peer takes. */
  clampMss(io: IoHandle, job: number): number;
  /** Bytes of the largest packet for a peer, by its path MTU (0: unknown) and the tunnel's. */
  largestPacket(path: number, tunnel: number): number;
  /** Looks an outbound run up again, as tunRead() did. FOUND bits. */
  find(io: IoHandle, job: number): number;
  /** The same of a job that names its peer, for the session alone. */
  findSession(io: IoHandle, job: number): number;
  /**
   * Looks up `count` addresses, four words each from word `first` of the arena on; `results`, u32:
   * what each leads to, plus 1. For tests and benchmarks. 0 or -errno.
   */
  routesFind(version: 4 | 6, first: number, count: number, results: Uint8Array): number;
  /**
   * Receives into up to `count` jobs from `job` on (ring order), and looks the runs up: `found`,
   * and what it names. RECEIVE, or -errno.
   */
  receive(io: IoHandle, job: number, count: number): number;
  /**
   * Takes nonces of the session that the job names, writes headers and accounts. 0, or -EOVERFLOW:
   * the counter is exhausted, or -ESTALE: the session's entry has been given up.
   */
  prepare(job: number): number;
  /** AEAD over a job with the node binary's OpenSSL; result in the job's claimer fields. */
  seal(job: number): number;
  open(job: number): number;
  /**
   * After opening: replay check and mark, inner length and version, congestion, and that the inner
   * source leads back to the peer. ACCEPT: packets to be written, which the job names; keepalives
   * and drops are counted on the way.
   */
  accept(io: IoHandle, job: number): number;
  /** Merges and writes the packets that accept() let through. Packets written, or -errno. */
  tunWrite(io: IoHandle, job: number): number;
  /** Queues a sealed job for the next flush; its slot must stay until then. */
  sendAdd(io: IoHandle, job: number): number;
  /** Sends what was queued. Datagrams sent. */
  sendFlush(io: IoHandle): number;

  // BLAKE2s (RFC 7693)
  /** Keyed BLAKE2s; out.length is the digest size, 1 to 32; key at most 32 bytes. */
  blake2sMac(out: Uint8Array, key: Uint8Array, data: Uint8Array): number;
}

const require = createRequire(import.meta.url);

/**
 * Where the binary may be: where the build script puts it, seen from dist/src/io/native and from
 * src/io/native, or where a package brings it.
 */
const PLACES = [
  "../../../../build/addon.node",
  "../../../build/addon.node",
  `../../../../prebuilt/addon-${process.arch}.node`,
];

const load = (): Addon => {
  let cause: unknown;
  for (const place of PLACES) {
    try {
      return require(place) as Addon;
    } catch (error) {
      cause ??= error;
      if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") cause = error;
    }
  }
  throw new EngineError("ADDON_MISSING", { cause });
};

/** This thread's instance. */
export const addon: Addon = load();
