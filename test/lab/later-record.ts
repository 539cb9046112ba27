/**
 * later-record — an engine of a later version, as far as records go: its own bear extensions that
 * this version does not know, and it knows all. Stands in for members/record.ts; the plan says
 * which extension is in clear and which is sealed. See swap.ts.
 */
import { ANY_EXTENSION } from "../../src/members/extensions.ts";
import * as now from "../../src/members/record.ts";
import type { LaterPlan } from "./later-certificate.ts";

export * from "../../src/members/record.ts";

export interface LaterRecordPlan {
  readonly clear: LaterPlan | null;
  readonly sealed: LaterPlan | null;
}

const plan = JSON.parse(new URL(import.meta.url).searchParams.get("plan")!) as LaterRecordPlan;

const extensionsOf = (later: LaterPlan | null) =>
  later === null
    ? []
    : [{ type: later.type, critical: later.critical, value: new TextEncoder().encode(later.text) }];

export const decodeRecord: typeof now.decodeRecord = (given) =>
  now.decodeRecord(given, ANY_EXTENSION);

export const encodeRecord: typeof now.encodeRecord = (head, content, keys) =>
  now.encodeRecord(
    { ...head, extensions: extensionsOf(plan.clear) },
    { ...content, extensions: extensionsOf(plan.sealed) },
    keys,
  );
