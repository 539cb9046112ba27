/**
 * pack — what `npm pack` needs before it makes the tarball: a build, and the addon under the name
 * of the processor it is for.
 */
import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const folder = join(root, "prebuilt");

await import("./setup.mjs");
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder);
copyFileSync(join(root, "build/addon.node"), join(folder, `addon-${process.arch}.node`));
