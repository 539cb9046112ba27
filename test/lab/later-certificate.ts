/**
 * later-certificate — a program of a later version, as far as certificates go: those that it signs
 * bear an extension that this version does not know, and it knows all. Stands in for
 * members/certificate.ts; the plan is the extension. See swap.ts.
 */
import * as now from "../../src/members/certificate.ts";
import { ANY_EXTENSION } from "../../src/members/extensions.ts";

export * from "../../src/members/certificate.ts";

/** What a later version adds. */
export interface LaterPlan {
  readonly type: number;
  readonly critical: boolean;
  readonly text: string;
}

const plan = JSON.parse(new URL(import.meta.url).searchParams.get("plan")!) as LaterPlan;
const extensions = [
  { type: plan.type, critical: plan.critical, value: new TextEncoder().encode(plan.text) },
];

export const decodeCertificate: typeof now.decodeCertificate = (given) =>
  now.decodeCertificate(given, ANY_EXTENSION);

export const encodeCertificate: typeof now.encodeCertificate = (fields, networkId, secretKey) =>
  now.encodeCertificate({ ...fields, extensions }, networkId, secretKey);
