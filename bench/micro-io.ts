/**
 * micro-io — reading and splitting, merging and writing, with a socket in the TUN device's place,
 * as io/rehearsal.ts has it: the figures hold one system call a run. See micro.ts.
 */
import assert from "node:assert";
import { addon, type IoHandle } from "../src/io/native/addon.ts";
import { JOB } from "../src/memory/layout.ts";
import { TUN, TUN_VNET_BYTES } from "../src/memory/numbers.ts";
import { type Arena, fieldWord } from "../src/memory/region.ts";
import { makeSockaddr } from "../src/wire/sockaddr.ts";
import { FULL_RUN } from "../test/lab/runs.ts";
import type { MicroTask } from "./micro.ts";

const IP_BYTES = 20;
const TCP_BYTES = 20;
const PAYLOAD_BYTES = 1_380;
const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const NOWHERE = new Uint8Array(0);
const COUNT = fieldWord(JOB.fields.count);

/** The stand-in, the host's end of it, and an I/O handle; `close` closes all. */
export interface StandIn {
  readonly io: IoHandle;
  readonly host: number;
  readonly port: number;
  readonly close: () => void;
}

export const openStandIn = (): StandIn => {
  const open = (): number => {
    const fd = addon.udpOpen(4, "127.0.0.1", 0, 0, "");
    assert(fd >= 0, addon.errorText(-fd));
    return fd;
  };
  const fds = [open(), open(), addon.eventOpen()] as const;
  const [tun, host, wake] = fds;
  assert(addon.udpConnect(tun, makeSockaddr(LOOPBACK, addon.udpPort(host))) >= 0);
  const io = addon.ioOpen({
    thread: 0,
    tun,
    vnetHeaderBytes: TUN_VNET_BYTES,
    udp4: -1,
    udp6: -1,
    wake,
    gso: true,
    uso: true,
    tso: true,
    busyBytes: 0,
  });
  const close = (): void => {
    addon.ioClose(io);
    for (const fd of fds) addon.close(fd);
  };
  return { io, host, port: addon.udpPort(tun), close };
};

/** A TCP super-packet of `count` segments behind a virtio header, as the kernel gives it. */
const superPacket = (count: number): Uint8Array => {
  const bytes = IP_BYTES + TCP_BYTES + count * PAYLOAD_BYTES;
  const frame = new Uint8Array(TUN_VNET_BYTES + bytes);
  const vnet = new DataView(frame.buffer);
  vnet.setUint8(0, 1); // NEEDS_CSUM
  vnet.setUint8(1, count > 1 ? 1 : 0); // TCP over IPv4
  vnet.setUint16(2, IP_BYTES + TCP_BYTES, true);
  vnet.setUint16(4, count > 1 ? PAYLOAD_BYTES : 0, true);
  vnet.setUint16(6, IP_BYTES, true);
  vnet.setUint16(8, 16, true);
  const packet = new DataView(frame.buffer, TUN_VNET_BYTES);
  packet.setUint8(0, 0x45);
  packet.setUint16(2, bytes);
  packet.setUint8(8, 64);
  packet.setUint8(9, 6);
  packet.setUint32(12, 0x0a00_0001);
  packet.setUint32(16, 0x0a00_0002);
  packet.setUint8(IP_BYTES + 12, 0x50);
  packet.setUint8(IP_BYTES + 13, 0x10);
  return frame;
};

/** Split by reading, and merge by writing what was read last. */
export const splitTasks = (arena: Arena, { io, host, port }: StandIn): MicroTask[] => {
  const to = makeSockaddr(LOOPBACK, port);
  const [bytes, meta] = [new Uint8Array(32 * 2_048), new Uint8Array(32 * 64)];
  return [1, FULL_RUN - 3].flatMap((count, i): MicroTask[] => {
    const frame = superPacket(count);
    // Jobs that nobody else here uses; their slots have their numbers.
    const job = 24 + i;
    const word = (arena.layout.base.jobs + job * JOB.size) >>> 2;
    arena.u32[word + fieldWord(JOB.fields.slot)] = job;
    const fill = (): void => assert(addon.datagramSend(host, frame, to, NOWHERE) >= 0);
    const read = (): number => addon.tunRead(io, job) & TUN.segments;
    fill();
    assert.equal(read(), count, "the super-packet is split");
    assert.equal(arena.u32[word + COUNT], count);
    // As if accept() had let all of them through.
    arena.u32[word + fieldWord(JOB.fields.writeLow)] = count >= 32 ? 0xffff_ffff : 2 ** count - 1;
    arena.u32[word + fieldWord(JOB.fields.writeHigh)] = count > 32 ? 2 ** (count - 32) - 1 : 0;
    const write = (): void => assert(addon.tunWrite(io, job) === count);
    // Merging changes the first header of a run, so that each is read anew.
    const renew = (): void => {
      while (addon.datagramReceive(host, bytes, meta) > 0);
      fill();
      assert.equal(read(), count);
    };
    const shared = { cipher: null, count, bytes: PAYLOAD_BYTES, unit: "packet" } as const;
    return [
      { ...shared, name: `read and split, ${count} a run`, before: fill, run: () => void read() },
      { ...shared, name: `merge and write, ${count} a run`, before: renew, run: write },
    ];
  });
};
