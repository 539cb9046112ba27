/**
 * unchecked — what a configuration announces is not held against its certificate: stands in for
 * schema/membership.ts in a member that lies to the others.
 */
export * from "../../src/schema/membership.ts";

export const notHeld = (): readonly never[] => [];
