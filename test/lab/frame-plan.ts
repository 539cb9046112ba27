/** frame-plan — what framing-frames.ts is told, and what it tells. */

export interface FramePlan {
  readonly seconds: number;
  readonly perSecond: number;
  /** Of a body, BODY_LEAST or more. */
  readonly bytes: number;
  /** What an engine takes its peers for. */
  readonly budget: "static" | "member";
}

/** What one engine saw. */
export interface FrameTally {
  readonly sent: number;
  /** Seconds from the first to the last. */
  readonly tookS: number;
  /** Times that one could not be sent yet. */
  readonly waited: number;
  readonly taken: number;
  /** With another content than was sent, or for the second time. */
  readonly wrong: number;
  /** Behind one that was sent later: a peer's socket, session or thread has changed. */
  readonly late: number;
  /** Of all that came, from control to control. */
  readonly latencyMs: { readonly median: number; readonly p99: number; readonly most: number };
}

export const BODY_LEAST = 12;
/** Before the tally in a line of output. */
export const TALLY = "frames ";
