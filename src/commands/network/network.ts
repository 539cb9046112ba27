/**
 * network — `network …`: who belongs to a network, as its authority says.
 *
 *   create ── request (by each host) ── sign ── start (by each member)
 *                                        ├── sign --renew, issuer
 *                                        └── revoke, rotate-secret, rotate-authority ── publish
 */
import type { Command } from "commander";
import { addExamples } from "../shared.ts";
import { defineBackup } from "./backup.ts";
import { defineCreate } from "./create.ts";
import { defineIssuer } from "./issuer.ts";
import { definePublish } from "./publish.ts";
import { defineRestore } from "./restore.ts";
import { defineShow } from "./show.ts";
import { defineSign } from "./sign.ts";

/** Describes `network`. */
export const define = (command: Command): void => {
  defineCreate(command);
  defineSign(command);
  defineIssuer(command);
  definePublish(command);
  defineBackup(command);
  defineRestore(command);
  defineShow(command);
  addExamples(command, [
    "p2pvpn-engine network create --name lab --cidr 10.66.0.0/16",
    "p2pvpn-engine request --key laptop.key --name laptop",
    "p2pvpn-engine network sign --authority lab.authority --request laptop.request",
    "p2pvpn-engine network revoke --authority lab.authority --name laptop -i p2p0",
  ]);
};
