#!/usr/bin/env -S -u NODE_OPTIONS node --inspect-port=240.0.0.1:9229
/**
 * p2pvpn-wireguard — stands in for wireguard-go.
 *
 * The first line keeps node's inspector shut from the start (src/doors.ts).
 */
import { launch } from "./launch.js";

await launch("p2pvpn-wireguard", new URL("../dist/src/wireguard.js", import.meta.url));
