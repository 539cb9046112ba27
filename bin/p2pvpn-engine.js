#!/usr/bin/env -S -u NODE_OPTIONS node --inspect-port=240.0.0.1:9229
/**
 * p2pvpn-engine — the command line.
 *
 * The first line keeps node's inspector shut from the start (src/doors.ts).
 */
import { launch } from "./launch.js";

await launch("p2pvpn-engine", new URL("../dist/src/cli.js", import.meta.url));
