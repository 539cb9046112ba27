/**
 * framing — an engine that says frames of a kind of its own to its peers, as often as it is told.
 *
 *   node --import "./framing.js?plan=JSON" node.js CONFIG OPTIONS        JSON: a FramePlan
 *
 * The engine has no such setting: in this process, and in its threads, which load the same module
 * first, the benchmark's own framing-frames.ts is loaded in place of src/control/frames/frames.ts.
 */
import { register } from "node:module";
import { extname } from "node:path";

const { pathname, search } = new URL(import.meta.url);
const extension = extname(pathname);
const at = (path: string): string => new URL(`${path}${extension}`, import.meta.url).href;

register(at("./swap-hooks"), {
  data: { from: at("../../src/control/frames/frames"), to: `${at("./framing-frames")}${search}` },
});
