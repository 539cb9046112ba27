/** endpoint-text — an endpoint in use, as people and `wg` read it and can set it again. */
import { addon } from "../../io/native/addon.ts";
import { isZoneName } from "../../schema/names.ts";
import { formatSockaddr } from "../../wire/sockaddr.ts";

const linkName = (index: number): string => {
  const name = addon.linkName(index);
  return isZoneName(name) ? name : "";
};

/** "203.0.113.7:51820", "[fe80::1%eth0]:51820", or null for none. Thread: control. */
export const endpointText = (sockaddr: Uint8Array): string | null =>
  formatSockaddr(sockaddr, linkName);
