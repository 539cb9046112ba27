#!/usr/bin/env -S -u NODE_OPTIONS node --inspect-port=240.0.0.1:9229
/**
 * p2pvpn-wireguard — checks that this can run at all, then hands over to the command line.
 *
 * The first line keeps node's inspector shut from the start (src/doors.ts).
 */
import { existsSync } from "node:fs";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
const program = new URL("../dist/src/wireguard.js", import.meta.url);

/** @param {string} sentence */
const fail = (sentence) => {
  process.stderr.write(`p2pvpn-wireguard: ${sentence}\n`);
  process.exitCode = 1;
};

if (major < 20 || (major === 20 && minor < 19)) {
  fail(`Node ${process.versions.node} is too old; install Node 20.19 or newer.`);
} else if (process.platform !== "linux") {
  fail("This runs on Linux only.");
} else if (!existsSync(program)) {
  fail("It is not built yet; run `npm run setup`.");
} else {
  import(program.href);
}
