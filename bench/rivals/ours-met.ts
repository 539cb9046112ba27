/**
 * ours-met — p2pvpn-engine, direct between two members that found each other through the index
 * node on s: no packet of theirs passes it, and it is what is flooded.
 */

import { join } from "node:path";
import { formatWireguardKey, loadIdentity } from "../../src/schema/identity.ts";
import { AES_TYPE_OFFSET } from "../../src/wire/handshake.ts";
import { PORT, runCli } from "../../test/lab/engines.ts";
import { DATA_TYPE } from "../../test/lab/floods.ts";
import { LabError } from "../../test/lab/lab.ts";
import { firstPing } from "../../test/lab/measure.ts";
import { INDEX_PORT, LabNetwork } from "../../test/lab/network.ts";
import { type OursOptions, oursScheme } from "../scenario/schemes.ts";
import { GIVES_WAY, type Rival } from "./rival.ts";

export const oursMet = (options: OursOptions): Rival => {
  const { id, title, family, cipher, node, version } = oursScheme(options);
  const dataTypes = cipher === "aes256gcm" ? [DATA_TYPE, DATA_TYPE + AES_TYPE_OFFSET] : [DATA_TYPE];
  return {
    ...{ id, title, family, cipher, node, install: "", direct: true },
    version: () => version,
    start: async (field) => {
      if (cipher === null) throw new LabError("Members seal what they send.");
      const { a, b, s, folder } = field;
      const network = new LabNetwork(field);
      const settings = { index: [`${s.under4}:${INDEX_PORT}`], cipher };
      const index = await network.startIndex(s, options.node.path, GIVES_WAY);
      const files = [await network.enroll(a, settings), await network.enroll(b, settings)] as const;
      const engines = await Promise.all([
        runCli(field, a, files[0], [], options.node.path),
        runCli(field, b, files[1], [], options.node.path),
      ]);
      await firstPing(field, a, b.inner4);
      const publicKey = formatWireguardKey(loadIdentity(join(folder, "b.key")).publicKey);
      const ends = { from: a, to: b.inner4, to6: b.inner6, programs: [...engines, index] };
      return { ...ends, dataTypes, port: PORT, serverPort: INDEX_PORT, publicKey };
    },
  };
};
