#!/usr/bin/env node
/**
 * p2pvpn-engine — the command line.
 */
import { launch } from "./launch.js";

await launch("p2pvpn-engine", new URL("../dist/src/cli.js", import.meta.url));
