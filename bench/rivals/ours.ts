/**
 * ours — p2pvpn-engine, direct between a and b; on s lies the index, which carries no packet.
 *
 * The index's host is only flooded: no tunnel depends on it.
 */

import { createPrivateKey, createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PORT } from "../engines.ts";
import type { Field } from "../field.ts";
import type { OursOptions } from "../scenario/schemes.ts";
import { oursScheme } from "../scenario/schemes.ts";
import type { Rival } from "./rival.ts";

/** What stands before the 32 bytes of an X25519 key. Source: RFC 8410, PKCS #8. */
const PKCS8_HEAD = Buffer.from("302e020100300506032b656e04220420", "hex");

/** Base64, of the key file that a host of the field has. */
const publicKeyOf = (field: Field, name: "a" | "b"): string => {
  const secret = Buffer.from(readFileSync(join(field.folder, `${name}.key`), "utf8"), "base64");
  const key = Buffer.concat([PKCS8_HEAD, secret]);
  const { x = "" } = createPublicKey(
    createPrivateKey({ key, format: "der", type: "pkcs8" }),
  ).export({ format: "jwk" });
  return Buffer.from(x, "base64url").toString("base64");
};

export const ours = (options: OursOptions): Rival => {
  const scheme = oursScheme(options);
  const { id, title, family, cipher, node, version } = scheme;
  return {
    ...{ id, title, family, cipher, node, install: "", direct: true },
    version: () => version,
    start: async (field) => {
      const programs = await scheme.start(field, 0);
      const ends = { from: field.a, to: field.b.inner4, programs };
      return { ...ends, port: PORT, serverPort: PORT, publicKey: publicKeyOf(field, "b") };
    },
  };
};
