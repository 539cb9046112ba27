/**
 * policy — a rule and a number stand once: in C, or in TypeScript.
 *
 * A rule reads fields. What C reads or writes of a struct and the packet path's TypeScript too is
 * where a rule could stand in both, so `BOTH` names these fields, and why. Numbers that both know
 * come from the tables of src/memory.
 */
import type { Finding, SourceFile } from "./tree.ts";

/** Fields that C and the packet path's TypeScript both touch, and why that is no rule in both. */
// biome-ignore format: a table
export const BOTH: Readonly<Record<string, string>> = {
  "job.slot": "where the bytes are",
  "job.session": "named by C; TypeScript tells control, and ChaCha20-Poly1305 takes the keys",
  "job.sessionGeneration": "who takes a key looks whether it is still the session's",
  "session.generation": "the same",
  "job.suite": "named by C; says who seals and opens",
  "job.count": "what a run is",
  "job.segmentBytes": "the same",
  "job.lastBytes": "the same",
  "job.tunBytes": "the same",
  "job.ecn": "TypeScript marks by the device's queue, C carries it over",
  "job.found": "C says what is so, TypeScript what follows; C compares with PLAIN",
  "job.peer": "named by C",
  "job.innerVersion": "read by C; TypeScript says which drop it is",
  "job.innerAddress": "the same",
  "job.source": "C compares it, TypeScript hands it to control",
  "job.failedLow": "told by who opened, taken by C",
  "job.failedHigh": "the same",
  "session.confirmed": "TypeScript says that control was told; C says what is found",
  "session.sendKey": "each seals with its own library",
  "session.receiveKey": "the same for opening",
  "io.nowMs": "the clock",
  "io.sleptMs": "measured by C, read by who hands over",
  "io.tooLarge": "C says for whom, TypeScript tells control",
};

/** Files where the numbers of both are declared. */
const TABLE_FILES =
  "memory/(layout|numbers|route-tree)|wire/(frames|handshake|receiver-index|sockaddr)";
const TABLES = new RegExp(`^src/(${TABLE_FILES})\\.ts$|\\.gen\\.h$`);
/** TypeScript of the packet path; the rehearsal plays control's part as well. */
const PATH = /^src\/(io|crypto|workers)\/(?!native\/|rehearsal).*\.ts$/;
const IN_C = /^src\/io\/native\/.*\.[ch]$/;

const upper = (name: string): string => name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toUpperCase();

/** The text of a line, without its comment. */
const codeOf = (text: string): string =>
  /^\s*(\*|\/\*|\/\/)/.test(text) ? "" : text.replace(/\/\*.*?\*\/|\/\/.*$/g, "");

interface Use {
  readonly path: string;
  readonly line: number;
}

/** First use of each match's group, joined by a dot. */
const usesOf = (files: readonly SourceFile[], pattern: RegExp): Map<string, Use> => {
  const found = new Map<string, Use>();
  for (const file of files) {
    file.lines.forEach((text, i) => {
      for (const match of codeOf(text).matchAll(pattern)) {
        const name = match.slice(1).join(".");
        if (!found.has(name)) found.set(name, { path: file.path, line: i + 1 });
      }
    });
  }
  return found;
};

interface Fields {
  readonly name: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Fields that both touch and `both` does not name, and rows of it that are not so any more. */
export const fieldsOfBoth = (
  files: readonly SourceFile[],
  structs: readonly Fields[],
  both: Readonly<Record<string, string>> = BOTH,
): Finding[] => {
  const inC = usesOf(
    files.filter(({ path }) => IN_C.test(path) && !TABLES.test(path)),
    /\b([A-Z][A-Z0-9_]+)\b/g,
  );
  const path = usesOf(
    files.filter(({ path: name }) => PATH.test(name)),
    /\b(F|[A-Z]+)(?:_FIELD)?(?:\.fields)?\.(\w+)/g,
  );
  const wrong: Finding[] = [];
  for (const struct of structs) {
    for (const field of Object.keys(struct.fields)) {
      const name = `${struct.name}.${field}`;
      const prefix = upper(struct.name);
      const alias = struct.name === "job" ? path.get(`F.${field}`) : undefined;
      const use = alias ?? path.get(`${prefix}.${field}`);
      const isBoth = use !== undefined && inC.has(`${prefix}_${upper(field)}`);
      if (isBoth === name in both) continue;
      const text = isBoth ? `C reads ${name} too: one rule, one place` : `${name} is not of both`;
      wrong.push({ path: use?.path ?? "test/tidy/policy.ts", line: use?.line ?? 1, text });
    }
  }
  return wrong;
};

/** A number that is declared, with its name. */
interface Declared extends Use {
  readonly name: string;
  readonly value: number;
}

const numberOf = (text: string): number => Number(text.replaceAll("_", "").replace(/[uUlL]+$/, ""));

const declaredIn = (files: readonly SourceFile[], pattern: RegExp): Declared[] =>
  files.flatMap(({ path, lines }) =>
    lines.flatMap((text, i) => {
      const match = pattern.exec(text);
      if (match === null) return [];
      return [{ path, line: i + 1, name: match[1]!, value: numberOf(match[2]!) }];
    }),
  );

/** Words that many names have. */
const COMMON = new Set(["BYTES", "EVERY", "MOST", "LEAST", "TRIES", "MASK", "HEADER", "FRAME"]);

const wordsOf = (name: string): string[] =>
  name.split("_").filter((word) => word.length >= 4 && !COMMON.has(word));

/** Of one unit, and with a word in common. */
const areAlike = (a: string, b: string): boolean =>
  a.split("_").at(-1) === b.split("_").at(-1) &&
  wordsOf(a).some((word) => wordsOf(b).includes(word));

/** Is the number one that nobody writes for another reason? Counters have any. */
const isTelling = ([name, value]: readonly [string, number]): boolean =>
  !/^(DROP|COUNT)_/.test(name) &&
  value > 64 &&
  (value > 0xffff || ((value & (value - 1)) !== 0 && (value & (value + 1)) !== 0));

const LITERAL = /(?<![\w.])(?:0x[\da-fA-F_]+|\d[\d_]*)(?:[uUlL]*)(?![\w.])/g;

/**
 * Numbers of both that stand outside of their tables: under their name, literally, or in C and in
 * TypeScript under names that share a word.
 */
export const numbersTwice = (
  files: readonly SourceFile[],
  shared: ReadonlyMap<string, number>,
): Finding[] => {
  const others = files.filter(({ path }) => !TABLES.test(path) && path.startsWith("src/"));
  const inC = others.filter(({ path }) => IN_C.test(path));
  const inTs = others.filter(({ path }) => path.endsWith(".ts"));
  const c = declaredIn(
    inC,
    /^\s*#define ([A-Z]\w+) \(?(0x[\da-fA-F]+|\d+)[uU]?(?:\.0)?\)?(?:\s|$)/,
  );
  const ts = declaredIn(inTs, /\bconst ([A-Z][A-Z0-9_]+)(?:: \w+)? = (0x[\da-fA-F_]+|\d[\d_]*);/);
  const named = [...c, ...ts]
    .filter(({ name }) => shared.has(name))
    .map(({ path, line, name }) => ({ path, line, text: `${name} is in src/memory/numbers.ts` }));
  const alike = ts.flatMap(({ path, line, name, value }) =>
    c
      .filter((row) => row.value === value && areAlike(row.name, name))
      .map((row) => ({ path, line, text: `${name} is ${row.name} of ${row.path}:${row.line}` })),
  );
  const telling = new Map([...shared].filter(isTelling).map(([name, value]) => [value, name]));
  const literal = [...inC, ...inTs.filter(({ path }) => PATH.test(path))].flatMap(
    ({ path, lines }) =>
      lines.flatMap((text, i) =>
        [...codeOf(text).matchAll(LITERAL)].flatMap(([number]) => {
          const name = telling.get(numberOf(number));
          return name === undefined ? [] : [{ path, line: i + 1, text: `${number} is ${name}` }];
        }),
      ),
  );
  return [...named, ...alike, ...literal];
};
