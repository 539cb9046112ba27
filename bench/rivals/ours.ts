/**
 * ours — p2pvpn-engine, direct between a and b, each in the other's file.
 */
import { join } from "node:path";
import { formatWireguardKey, loadIdentity } from "../../src/schema/identity.ts";
import { AES_TYPE_OFFSET } from "../../src/wire/handshake.ts";
import { PORT } from "../../test/lab/engines.ts";
import type { Field } from "../../test/lab/field.ts";
import { DATA_TYPE } from "../../test/lab/floods.ts";
import type { OursOptions } from "../scenario/schemes.ts";
import { oursScheme } from "../scenario/schemes.ts";
import type { Rival } from "./rival.ts";

/** Base64, of the key file that a host of the field has. */
const keyOf = (field: Field, name: "a" | "b"): string =>
  formatWireguardKey(loadIdentity(join(field.folder, `${name}.key`)).publicKey);

export const ours = (options: OursOptions): Rival => {
  const scheme = oursScheme(options);
  const { id, title, family, cipher, node, version } = scheme;
  const dataTypes = cipher === "aes256gcm" ? [DATA_TYPE, DATA_TYPE + AES_TYPE_OFFSET] : [DATA_TYPE];
  return {
    ...{ id, title, family, cipher, node, install: "", direct: true },
    version: () => version,
    start: async (field) => {
      const programs = await scheme.start(field, 0);
      const { inner4: to, inner6: to6 } = field.b;
      const ends = { from: field.a, to, to6, programs, dataTypes };
      return { ...ends, port: PORT, serverPort: PORT, publicKey: keyOf(field, "b") };
    },
  };
};
