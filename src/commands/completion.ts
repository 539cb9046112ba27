/**
 * completion — prints what makes a shell complete the words of this program.
 *
 * Commands, options and their words come from the commands' own descriptions, so that nothing has
 * to be kept in step. A place is the path of a command, "peer/add"; "" is the program itself.
 */
import { Argument, type Command, InvalidArgumentError, type Option } from "commander";
import { ENGINE_SETTINGS, LIVE_SETTINGS, settingName } from "../schema/settings.ts";
import { printText } from "./print.ts";
import { addExamples } from "./shared.ts";

/** What may stand for a value: one of some words, a file, a running engine, or anything. */
type Value = readonly string[] | "file" | "engine" | "any";

interface Flag {
  /** "-c", "--config". */
  readonly spellings: readonly string[];
  readonly help: string;
  /** Null: it takes none. */
  readonly value: Value | null;
}

/** One command, or the program. */
interface Place {
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly help: string }[];
  readonly flags: readonly Flag[];
  /** Words that may stand as an argument. */
  readonly words: readonly string[];
  /** A file may stand as an argument. */
  readonly files: boolean;
  /** A running engine may. */
  readonly engines: boolean;
}

/** Placeholders in help that say what a value is. */
const PLACEHOLDERS: Readonly<Record<string, Value>> = {
  FILE: "file",
  DIR: "file",
  IFACE: "engine",
};

/** Arguments that are names of settings. */
const SETTING_WORDS: Readonly<Record<string, readonly string[]>> = {
  "config/get": ENGINE_SETTINGS.map(settingName),
  "config/set": LIVE_SETTINGS,
};

const takenBy = (option: Option): Value | null => {
  const placeholder = /[<[]([^>\]]+)[>\]]/.exec(option.flags)?.[1];
  if (placeholder === undefined) return null;
  return option.argChoices ?? PLACEHOLDERS[placeholder] ?? "any";
};

const flagOf = (option: Option): Flag => ({
  spellings: [option.short, option.long].filter((one) => one !== undefined),
  help: option.description,
  value: takenBy(option),
});

const HELP: Flag = { spellings: ["-h", "--help"], help: "show help", value: null };

/** The command and all below it. */
const placesOf = (command: Command, path: string): Place[] => {
  const below = (name: string): string => (path === "" ? name : `${path}/${name}`);
  const choices = command.registeredArguments.flatMap((argument) => argument.argChoices ?? []);
  // After `help` come the same words as without it.
  const commands = command.commands.filter((one) => one.name() !== "help");
  const takes = (name: string): boolean =>
    command.registeredArguments.some((argument) => argument.name() === name);
  const place: Place = {
    path,
    commands: commands.map((one) => ({ name: one.name(), help: one.description() })),
    flags: [...command.options.map(flagOf), HELP],
    words: [...choices, ...(SETTING_WORDS[path] ?? [])],
    files: takes("FILE"),
    engines: takes("IFACE"),
  };
  return [place, ...commands.flatMap((one) => placesOf(one, below(one.name())))];
};

/** Prints the names of running engines; nothing that a shell would expand. Any shell. */
const ENGINES = [
  `cd "\${P2PVPN_RUN_DIR:-/run/p2pvpn}" 2>/dev/null`,
  `ls | sed -n "s/^\\([A-Za-z0-9_=+.-]*\\)[.]sock\\$/\\1/p"`,
].join(" && ");

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

const pathsOf = (places: readonly Place[]): string[] =>
  places.map((place) => place.path).filter((path) => path !== "");

/** Lines of a `case` over "place flag", for flags that take a value; equal ones are one line. */
const valueCases = (places: readonly Place[], code: (value: Value) => string): string => {
  const cases = new Map<string, string[]>();
  for (const { path, flags } of places) {
    for (const { spellings, value } of flags) {
      if (value === null) continue;
      const patterns = spellings.map((spelling) => `"${path} ${spelling}"`);
      cases.set(code(value), [...(cases.get(code(value)) ?? []), ...patterns]);
    }
  }
  return [...cases].map(([line, patterns]) => `    ${patterns.join("|")}) ${line} ;;`).join("\n");
};

const bashValue = (value: Value): string => {
  if (value === "any") return "return";
  if (value === "file") {
    const files = 'mapfile -t COMPREPLY < <(compgen -f -- "$cur")';
    return `compopt -o filenames 2>/dev/null; ${files}; return`;
  }
  const words = value === "engine" ? "$(_p2pvpn_engine_names)" : value.join(" ");
  return `mapfile -t COMPREPLY < <(compgen -W "${words}" -- "$cur"); return`;
};

const bash = (places: readonly Place[]): string => {
  const words = places.map((place) => {
    const engines = place.engines ? ["$(_p2pvpn_engine_names)"] : [];
    const names = [...place.commands.map((one) => one.name), ...place.words, ...engines];
    const flags = place.flags.flatMap((flag) => flag.spellings);
    const files = place.files ? "; files=1" : "";
    const lists = `words="${names.join(" ")}"; flags="${flags.join(" ")}"`;
    return `    "${place.path}") ${lists}${files} ;;`;
  });
  return `# Completion of p2pvpn-engine in bash; source it, or put it into
# /usr/share/bash-completion/completions/p2pvpn-engine.
_p2pvpn_engine_names() { (${ENGINES}); }
_p2pvpn_engine() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]}
  local at= word i words= flags= files=
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${at:+$at/}\${COMP_WORDS[i]}
    case $word in
      ${pathsOf(places).join("|")}) at=$word ;;
    esac
  done
  case "$at $prev" in
${valueCases(places, bashValue)}
  esac
  case $at in
${words.join("\n")}
  esac
  if [[ -n $files && $cur != -* ]]; then
    ${bashValue("file")}
  fi
  [[ $cur == -* || -z $words ]] && words=$flags
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _p2pvpn_engine p2pvpn-engine`;
};

const zshValue = (value: Value): string => {
  if (value === "any") return "return";
  if (value === "file") return "_files; return";
  if (value === "engine") return "compadd -- $(_p2pvpn_engine_names); return";
  return `compadd -- ${value.join(" ")}; return`;
};

/** An entry of \`_describe\`: a colon ends the word. */
const entry = (word: string, help: string): string =>
  quoted(`${word.replaceAll(":", "\\:")}:${help}`);

const zsh = (places: readonly Place[]): string => {
  const lists = places.map((place) => {
    const named = place.commands.map((one) => entry(one.name, one.help));
    const engines = place.engines ? [`\${(f)"$(_p2pvpn_engine_names)"}`] : [];
    const words = [...named, ...place.words.map((word) => quoted(word)), ...engines];
    const flags = place.flags.flatMap((flag) =>
      flag.spellings.map((spelling) => entry(spelling, flag.help)),
    );
    const files = place.files ? "; files=1" : "";
    const lists = `list=(${words.join(" ")}); flags=(${flags.join(" ")})`;
    return `    "${place.path}") ${lists}${files} ;;`;
  });
  return `#compdef p2pvpn-engine
# Completion of p2pvpn-engine in zsh; put it as _p2pvpn-engine into a folder of $fpath.
_p2pvpn_engine_names() { (${ENGINES}); }
_p2pvpn_engine() {
  local at= word i files=
  local -a list flags
  for ((i = 2; i < CURRENT; i++)); do
    word=\${at:+$at/}\${words[i]}
    case $word in
      ${pathsOf(places).join("|")}) at=$word ;;
    esac
  done
  case "$at \${words[CURRENT - 1]}" in
${valueCases(places, zshValue)}
  esac
  case $at in
${lists.join("\n")}
  esac
  (( $#list )) && _describe command list
  [[ -n $files ]] && _files
  _describe -o option flags
}
if [[ $funcstack[1] == _p2pvpn-engine ]]; then
  _p2pvpn_engine "$@"
else
  compdef _p2pvpn_engine p2pvpn-engine
fi`;
};

const fishText = (text: string): string =>
  `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

const fishValue = (value: Value | null): string => {
  if (value === null) return "";
  if (value === "any") return " -x";
  if (value === "file") return " -r -F";
  const words = value === "engine" ? "(__p2pvpn_engine_names)" : value.join(" ");
  return ` -x -a ${fishText(words)}`;
};

const fish = (places: readonly Place[]): string => {
  const lines = places.flatMap((place) => {
    const start = `complete -c p2pvpn-engine -n ${fishText(`__p2pvpn_engine_at "${place.path}"`)}`;
    return [
      ...place.commands.map((one) => `${start} -a ${one.name} -d ${fishText(one.help)}`),
      ...place.words.map((word) => `${start} -a ${fishText(word)}`),
      ...(place.files ? [`${start} -F`] : []),
      ...(place.engines ? [`${start} -a '(__p2pvpn_engine_names)'`] : []),
      ...place.flags.map((flag) => {
        const spellings = flag.spellings.map((one) =>
          one.startsWith("--") ? ` -l ${one.slice(2)}` : ` -s ${one.slice(1)}`,
        );
        return `${start}${spellings.join("")}${fishValue(flag.value)} -d ${fishText(flag.help)}`;
      }),
    ];
  });
  return `# Completion of p2pvpn-engine in fish; put it into
# ~/.config/fish/completions/p2pvpn-engine.fish.
function __p2pvpn_engine_names
    sh -c ${fishText(ENGINES)}
end
function __p2pvpn_engine_at
    set -l at
    set -l words (commandline -opc)
    for word in $words[2..-1]
        set -l next (string join -- / $at $word)
        if contains -- $next ${pathsOf(places).join(" ")}
            set at $next
        end
    end
    test "$at" = "$argv[1]"
end
complete -c p2pvpn-engine -f
${lines.join("\n")}`;
};

const SHELLS = { bash, zsh, fish } as const;
type Shell = keyof typeof SHELLS;

const shellArgument = (text: string): Shell => {
  if (Object.hasOwn(SHELLS, text)) return text as Shell;
  throw new InvalidArgumentError(`must be ${Object.keys(SHELLS).join(" or ")}`);
};

/** Describes `completion`. */
export const define = (command: Command): void => {
  const shell = new Argument("<SHELL>", "the shell that is to complete");
  shell.choices(Object.keys(SHELLS)).argParser(shellArgument);
  command.addArgument(shell).action((name: Shell) => {
    printText(SHELLS[name](placesOf(command.parent!, "")));
  });
  addExamples(command, [
    "source <(p2pvpn-engine completion bash)",
    "p2pvpn-engine completion zsh > /usr/local/share/zsh/site-functions/_p2pvpn-engine",
    "p2pvpn-engine completion fish > ~/.config/fish/completions/p2pvpn-engine.fish",
  ]);
};
