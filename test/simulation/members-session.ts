/** members-session — one end of a session of a simulated network, and its budget of frames. */
import type { VirtualNode } from "./members-node.ts";

/** As an engine's members have it (FRAME_BUDGETS, memory/layout.ts). */
const BUDGET = { perSecond: 200, burst: 64, bytesPerSecond: 200 * 1_236, bytesAtOnce: 65_536 };

/** One end of a session. */
export interface Session {
  readonly id: number;
  readonly other: VirtualNode;
  /** Which start of it. */
  readonly life: number;
  bornMs: number;
  /** The other end said hello. */
  up: boolean;
  /** What may still come: when the budgets are full again. */
  framesMs: number;
  bytesMs: number;
}

/** Is the frame within its peer's budget? */
export const fits = (session: Session, bytes: number, nowMs: number): boolean => {
  const framesMs = Math.max(session.framesMs, nowMs) + 1_000 / BUDGET.perSecond;
  const bytesMs = Math.max(session.bytesMs, nowMs) + (1_000 * bytes) / BUDGET.bytesPerSecond;
  if (framesMs > nowMs + (1_000 * BUDGET.burst) / BUDGET.perSecond) return false;
  if (bytesMs > nowMs + (1_000 * BUDGET.bytesAtOnce) / BUDGET.bytesPerSecond) return false;
  session.framesMs = framesMs;
  session.bytesMs = bytesMs;
  return true;
};
