/**
 * unsealed — an engine that neither seals nor opens: what all the rest of it costs.
 *
 *   node --import ./unsealed.js node.js CONFIG OPTIONS
 *
 * The engine has no such setting: in this process, and in its threads, which load the same module
 * first, the benchmark's own unsealed-work.ts is loaded in place of src/crypto/work.ts.
 */
import { register } from "node:module";
import { extname } from "node:path";

const extension = extname(import.meta.url);
const at = (path: string): string => new URL(`${path}${extension}`, import.meta.url).href;

register(at("../test/lab/swap-hooks"), {
  data: { from: at("../src/crypto/work"), to: at("./unsealed-work") },
});
