/**
 * swap — an engine in which another module stands in for one of its own: a seam for what no setting
 * reaches.
 *
 *   node --import "./swap.js?from=URL&to=URL" node.js CONFIG OPTIONS
 *
 * In this process, and in its threads, which load the same module first, `to` is loaded wherever
 * `from` is imported; `swapIn` of engines.ts writes the words.
 */
import { register } from "node:module";
import { extname } from "node:path";

const { pathname, searchParams } = new URL(import.meta.url);

register(new URL(`./swap-hooks${extname(pathname)}`, import.meta.url), {
  data: Object.fromEntries(searchParams),
});
