/**
 * bpf — the steering program, run by an interpreter of the few instructions that it uses. The
 * kernel itself runs it in test/native/udp_test.c.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { steeringProgram } from "../../src/wire/bpf.ts";

/** Runs a classic BPF program over a datagram. Source: Linux Documentation/networking/filter. */
const run = (program: Uint8Array, datagram: Uint8Array): number => {
  const code = new DataView(program.buffer, program.byteOffset, program.length);
  const data = new DataView(datagram.buffer, datagram.byteOffset, datagram.length);
  let a = 0;
  for (let at = 0; at < program.length; at += 8) {
    const jumpTrue = code.getUint8(at + 2);
    const jumpFalse = code.getUint8(at + 3);
    const k = code.getUint32(at + 4, true);
    switch (code.getUint16(at, true)) {
      case 0x20: // BPF_LD | BPF_W | BPF_ABS; a load beyond the end returns 0
        if (k + 4 > datagram.length) return 0;
        a = data.getUint32(k);
        break;
      case 0x30: // BPF_LD | BPF_B | BPF_ABS
        if (k >= datagram.length) return 0;
        a = data.getUint8(k);
        break;
      case 0x80: // BPF_LD | BPF_W | BPF_LEN
        a = datagram.length;
        break;
      case 0x35: // BPF_JMP | BPF_JGE | BPF_K
        at += 8 * (a >= k ? jumpTrue : jumpFalse);
        break;
      case 0x15: // BPF_JMP | BPF_JEQ | BPF_K
        at += 8 * (a === k ? jumpTrue : jumpFalse);
        break;
      case 0x54: // BPF_ALU | BPF_AND | BPF_K
        a &= k;
        break;
      case 0x94: // BPF_ALU | BPF_MOD | BPF_K
        a %= k;
        break;
      case 0x06: // BPF_RET | BPF_K
        return k;
      case 0x16: // BPF_RET | BPF_A
        return a;
      default:
        assert.fail(`unknown instruction at ${at}`);
    }
  }
  assert.fail("ran beyond the end");
};

const message = (type: number, index: number, bytes = 32): Uint8Array => {
  const out = new Uint8Array(Math.max(8, bytes));
  const view = new DataView(out.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, index, true);
  return out.subarray(0, bytes);
};

for (const threads of [1, 2, 3, 8]) {
  test(`${threads} I/O threads: data by the index's lowest bits, the rest to control`, () => {
    const program = steeringProgram(threads);
    for (const type of [4, 8]) {
      for (let owner = 0; owner < 8; owner++) {
        const index = (0xabcd_ef00 | owner) >>> 0;
        assert.equal(run(program, message(type, index)), owner % threads);
      }
    }
    for (const type of [0, 1, 2, 3, 5, 6, 7, 9, 0x104, 0x0400_0000, 0xffff_ffff]) {
      assert.equal(run(program, message(type, 0)), threads, `type ${type}`);
    }
  });
}

test("a datagram too short to name a thread goes to control", () => {
  const program = steeringProgram(2);
  for (let bytes = 0; bytes < 8; bytes++) {
    assert.equal(run(program, message(4, 1, bytes)), 2, `${bytes} bytes`);
  }
  assert.equal(run(program, message(4, 1, 8)), 1);
});

test("every jump stays inside, and the last instruction returns", () => {
  const program = steeringProgram(8);
  const code = new DataView(program.buffer);
  const count = program.length / 8;
  for (let i = 0; i < count; i++) {
    if (![0x15, 0x35].includes(code.getUint16(8 * i, true))) continue;
    const furthest = Math.max(code.getUint8(8 * i + 2), code.getUint8(8 * i + 3));
    assert(i + 1 + furthest < count);
  }
  assert([0x06, 0x16].includes(code.getUint16(8 * (count - 1), true)));
});
