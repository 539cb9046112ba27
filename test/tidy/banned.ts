/**
 * banned — calls that only named files may make, and what to use instead.
 */
import type { Finding, SourceFile } from "./tree.ts";

export interface Ban {
  readonly what: string;
  readonly pattern: RegExp;
  /** Files, or rooms when they end in "/", that may. */
  readonly allowed: readonly string[];
  readonly instead: string;
}

// biome-ignore format: a table
export const BANS: readonly Ban[] = [
  { what: "Date.now", pattern: /\bDate\.now\b|\bnew Date\(\)/, allowed: ["src/control/main.ts", "src/index-node/main.ts", "src/commands/network/clock.ts", "src/schema/load-config.ts"], instead: "the argument nowMs or unixMs" },
  { what: "performance.now", pattern: /\bperformance\.now\b/, allowed: ["src/workers/pool.ts", "src/index-node/main.ts"], instead: "the argument nowMs; addon.bootMs() in */main.ts" },
  { what: "setEndpoint", pattern: /\.(?:setEndpoint|forgetHeard|leave)\(/, allowed: ["src/control/reach/endpoints.ts", "src/io/rehearsal.ts", "src/memory/peers.ts"], instead: "Endpoints, the one owner of where a peer is" },
  { what: "a change of the roster", pattern: /\broster\.(?:add|remove|reset|change|setAllowedIps)\(/, allowed: ["src/control/peer-changes.ts"], instead: "Changes: apply, admit, amend or dismiss" },
  { what: "another active peer", pattern: /\bgroups\.setActive\(/, allowed: ["src/control/control.ts"], instead: "Control.failOver, which has what waits follow" },
  { what: "Math.random", pattern: /\bMath\.random\b/, allowed: ["src/control/main.ts"], instead: "the random source that is passed in" },
  { what: "setTimeout and setInterval", pattern: /(?<![.\w])set(?:Timeout|Interval)\(|"node:timers\/promises"/, allowed: ["src/control/main.ts", "src/control/timer.ts", "src/index-node/main.ts", "src/engine.ts", "src/wireguard.ts", "src/client.ts", "src/commands/", "src/demo/"], instead: "a deadline that */main.ts asks for, or control/timer.ts" },
  { what: "new SharedArrayBuffer", pattern: /\bnew SharedArrayBuffer\b/, allowed: ["src/memory/region.ts"], instead: "a region of src/memory/layout.ts" },
  { what: "a number as index into a shared view", pattern: /\b(?:u8|i32|u32|f64|u64)\[\d/, allowed: [], instead: "fieldWord() of the field" },
  { what: "Atomics on a number", pattern: /\bAtomics\.\w+\([^,()]+, \d/, allowed: [], instead: "fieldWord() of the field" },
  { what: "process.exit", pattern: /\bprocess\.exit\(/, allowed: ["src/cli.ts", "src/wireguard.ts", "src/commands/"], instead: "an EngineError" },
  { what: "console", pattern: /\bconsole\.\w+\(/, allowed: [], instead: "commands/print.ts" },
];

// biome-ignore format: a table
export const C_BANS: readonly Ban[] = [
  { what: "a copy without a bound", pattern: /\b(?:strcpy|strcat|sprintf|vsprintf|gets|alloca)\(/, allowed: [], instead: "memcpy or snprintf with a checked length" },
  { what: "a number read without errors", pattern: /\b(?:atoi|atol|atof)\(/, allowed: [], instead: "strtol with its end pointer" },
  { what: "state at file level", pattern: /^(?:static )?(?!static\b|const\b|inline\b|typedef\b|return\b|extern\b|enum\b|struct \w+;)[a-z]\w*(?: \w+)* \*?\w+(?:\[[^\]]*\])*(?: = .*|);$/, allowed: [], instead: "a struct that the caller holds" },
  { what: "a shell", pattern: /\b(?:system|popen)\(/, allowed: [], instead: "the system call itself" },
];

const inComment = (text: string): boolean => /^\s*(?:\/\/|\/?\*)/.test(text);

const mayUse = (path: string, allowed: readonly string[]): boolean =>
  allowed.some((home) => (home.endsWith("/") ? path.startsWith(home) : path === home));

/** Uses outside of the files that may. */
export const banned = (files: readonly SourceFile[], bans: readonly Ban[]): Finding[] =>
  files.flatMap((file) =>
    file.lines.flatMap((text, i) => {
      if (inComment(text)) return [];
      return bans
        .filter((ban) => ban.pattern.test(text) && !mayUse(file.path, ban.allowed))
        .map((ban) => ({
          path: file.path,
          line: i + 1,
          text: `${ban.what}: use ${ban.instead}`,
        }));
    }),
  );
