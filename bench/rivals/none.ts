/**
 * none — no VPN: what the same hosts and links carry by themselves. The limit of every tunnel.
 *
 * Nothing listens on the flooded port, and nothing has to be decided about what comes to it.
 */
import { PORT } from "../../test/lab/engines.ts";
import { DATA_TYPE } from "../../test/lab/floods.ts";
import { type Rival, versionOf } from "./rival.ts";

export const none: Rival = {
  id: "none",
  title: "no VPN",
  family: "none",
  cipher: null,
  node: null,
  install: "",
  direct: true,
  version: () => versionOf(["uname", "-r"], /^(\S+)/),
  start: async ({ a, b }) => ({
    ...{ from: a, to: b.under4, to6: b.under6, port: PORT, serverPort: PORT, publicKey: null },
    ...{ dataTypes: [DATA_TYPE], programs: [] },
  }),
};
