/** cubic — the congestion control that figures of all laboratories have in common. */
import { inside, runTool } from "../../src/demo/tools.ts";
import type { Host } from "./lab.ts";

const CONTROL = "/proc/sys/net/ipv4/tcp_congestion_control";
const ALLOWED = "/proc/sys/net/ipv4/tcp_allowed_congestion_control";

/** For `sh -c`, with the namespaces as its words; others who do the same wait. */
const ALLOW_CUBIC = `exec 9< ${ALLOWED} && flock 9 && before=$(cat ${ALLOWED}) || exit 1
  echo "$before cubic" > ${ALLOWED} || exit 1
  code=0
  for name; do ip netns exec "$name" sh -c "echo cubic > ${CONTROL}" || code=1; done
  echo "$before" > ${ALLOWED}
  exit $code`;

/** Sets cubic; where namespaces may not use it, allows it for a moment. False: it is not there. */
export const useCubic = async (hosts: readonly Host[]): Promise<boolean> => {
  const names = hosts.map(({ namespace }) => namespace);
  const script = `echo cubic > ${CONTROL}`;
  const all = names.map((name) => runTool(inside(name, ["sh", "-c", script])));
  if ((await Promise.all(all)).every(({ code }) => code === 0)) return true;
  return (await runTool(["sh", "-c", ALLOW_CUBIC, "sh", ...names])).code === 0;
};
