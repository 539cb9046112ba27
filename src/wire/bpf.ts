/**
 * bpf — classic BPF programs for the kernel, 8 bytes an instruction: code u16, jt u8, jf u8, k u32.
 *
 * Source: Linux Documentation/networking/filter; facts: a reuseport program sees the UDP payload at
 * offset 0, loads are big-endian.
 */
import { AES_TYPE_OFFSET, DATA_TYPE } from "./handshake.ts";
import { OWNER_MASK } from "./receiver-index.ts";

const LOAD_WORD = 0x20;
const LOAD_BYTE = 0x30;
const LOAD_LENGTH = 0x80;
const JUMP_EQUAL = 0x15;
const JUMP_AT_LEAST = 0x35;
const AND_K = 0x54;
const MODULO = 0x94;
const RETURN = 0x06;
const RETURN_A = 0x16;

type Instruction = readonly [code: number, jumpTrue: number, jumpFalse: number, k: number];

const assemble = (instructions: readonly Instruction[]): Uint8Array => {
  const out = new Uint8Array(instructions.length * 8);
  const view = new DataView(out.buffer);
  instructions.forEach(([code, jumpTrue, jumpFalse, k], i) => {
    view.setUint16(8 * i, code, true);
    view.setUint8(8 * i + 2, jumpTrue);
    view.setUint8(8 * i + 3, jumpFalse);
    view.setUint32(8 * i + 4, k >>> 0, true);
  });
  return out;
};

/** Message types 4 and 8, with three zero bytes, as a big-endian load sees them. */
const DATA = DATA_TYPE << 24;
const DATA_AES = (DATA_TYPE + AES_TYPE_OFFSET) << 24;
/** Type and receiver index. A load beyond the datagram would end the program with socket 0. */
const STEERED_BYTES = 8;

/**
 * Sorts one port's datagrams over a reuseport group: transport data to the I/O thread that the
 * lowest 3 bits of its receiver index name, everything else to control.
 *
 * The group's sockets were bound in this order: I/O thread 0 to n - 1, then control.
 */
export const steeringProgram = (ioThreads: number): Uint8Array =>
  assemble([
    [LOAD_LENGTH, 0, 0, 0],
    [JUMP_AT_LEAST, 0, 3, STEERED_BYTES],
    [LOAD_WORD, 0, 0, 0],
    [JUMP_EQUAL, 2, 0, DATA],
    [JUMP_EQUAL, 1, 0, DATA_AES],
    [RETURN, 0, 0, ioThreads],
    [LOAD_BYTE, 0, 0, 4],
    [AND_K, 0, 0, OWNER_MASK],
    [MODULO, 0, 0, ioThreads],
    [RETURN_A, 0, 0, 0],
  ]);
