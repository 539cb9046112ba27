/**
 * errno — the numbers with which the UAPI answers.
 */
import { EngineError } from "./errors.ts";

/** Protocol: errno.h of Linux. */
export const ERRNO = {
  notPermitted: 1,
  io: 5,
  tooLarge: 7,
  tryAgain: 11,
  invalid: 22,
  noRoom: 28,
  portTaken: 98,
} as const;

/** Of a change that was not applied. */
export const errnoOf = (error: unknown): number => {
  if (!(error instanceof EngineError)) return ERRNO.io;
  if (error.code === "PORT_TAKEN") return ERRNO.portTaken;
  if (error.code === "LIMIT") return ERRNO.noRoom;
  const forbidden = error.code === "KEY_FIXED" || error.code === "NETWORK_PEER";
  return forbidden ? ERRNO.notPermitted : ERRNO.io;
};

/** The end of every answer. */
export const errnoText = (errno: number): string => `errno=${errno}\n\n`;
