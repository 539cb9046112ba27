/**
 * terminal — a shell on a host of a laboratory, at a pseudo-terminal, as a person has it: with
 * /etc/p2pvpn, /run and /var/lib of the host's own, and what others know of the host by its name.
 *
 *     <folder>/<name>/p2pvpn   is /etc/p2pvpn there
 *     <folder>/<name>/home     where its user begins
 *     <folder>/bin             p2pvpn-engine, and an scp that copies from host to host
 */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inside } from "../../src/demo/tools.ts";
import { cliWords } from "./engines.ts";
import { LabError } from "./lab.ts";

/** Tuning: a passphrase takes a second or two of one processor. */
const COMMAND_MS = 60_000;
const COLUMNS = 110;
const PASSPHRASE = "correct horse battery staple, again";
/** The shell takes commands. */
const READY = ":::ready:::";
/** Folder of the configurations of a host. */
const CONFIGURED = "/etc/p2pvpn";

/** `$1`: the host's own folder. What is mounted is seen in this shell alone. */
const SETUP = `
set -e
mkdir "$1/etc" "$1/p2pvpn" "$1/home"
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/lib
mount --rbind /etc "$1/etc"
mount -t tmpfs tmpfs /etc
ln -s "$1"/etc/* /etc/
rm -f /etc/p2pvpn
mkdir /etc/p2pvpn
mount --bind "$1/p2pvpn" /etc/p2pvpn
cd "$1/home"
echo PS1= > "$1/env"
stty='stty -echo cols ${COLUMNS}'
ENV="$1/env" exec script --quiet --command "$stty; echo ${READY}; exec sh -i" /dev/null
`;

/** `$LAB`: the laboratory's folder. */
const SCP = `#!/bin/sh
set -e
place() {
  case "$1" in
    root@*:${CONFIGURED}/*)
      host=\${1#root@}
      echo "$LAB/\${host%%:*}/p2pvpn/\${1#*:${CONFIGURED}/}" ;;
    *:*) echo "scp: no such place: $1" >&2; exit 1 ;;
    *) echo "$1" ;;
  esac
}
all=
while [ $# -gt 1 ]; do all="$all $(place "$1")"; shift; done
exec cp $all "$(place "$1")"
`;

/** Where terminals find our commands. */
const binFolder = (folder: string): string => {
  const bin = join(folder, "bin");
  mkdirSync(bin, { recursive: true });
  const quoted = cliWords([]).map((word) => `'${word}'`);
  const programs = { "p2pvpn-engine": `#!/bin/sh\nexec ${quoted.join(" ")} "$@"\n`, scp: SCP };
  for (const [name, text] of Object.entries(programs)) {
    writeFileSync(join(bin, name), text);
    chmodSync(join(bin, name), 0o755);
  }
  return bin;
};

/** What was shown before something, and that. */
interface Seen {
  readonly before: string;
  readonly match: RegExpExecArray;
}

export class Terminal {
  readonly #child: ChildProcess;
  readonly #script: string;
  readonly #ready: Promise<Seen>;
  #shown = "";
  #onShown: () => void = () => {};
  #onClosed: () => void = () => {};
  #commands = 0;

  /** `name`: of the host, for `scp root@name:`. */
  constructor(namespace: string, name: string, folder: string) {
    const own = join(folder, name);
    mkdirSync(own, { mode: 0o700 });
    this.#script = join(own, "command");
    const { P2PVPN_RUN_DIR: _, ...rest } = process.env;
    const env = {
      ...rest,
      PATH: `${binFolder(folder)}:${process.env.PATH}`,
      HOME: join(own, "home"),
      LAB: folder,
      TERM: "dumb",
    };
    const [tool = "", ...words] = inside(namespace, ["sh", "-c", SETUP, "sh", own]);
    this.#child = spawn(tool, words, { detached: true, stdio: ["pipe", "pipe", "pipe"], env });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (text: Buffer) => {
        this.#shown += text.toString().replaceAll("\r", "");
        this.#onShown();
      });
    }
    this.#child.once("close", () => this.#onClosed());
    this.#ready = this.#until("sh", new RegExp(`${READY}\n`));
  }

  /** Types a command. Returns what was shown. Errors: LabError when it fails, or takes too long. */
  async type(command: string): Promise<string> {
    await this.#ready;
    const end = `:::${++this.#commands}:::`;
    writeFileSync(this.#script, `${command}\n`);
    this.#shown = "";
    const answered = this.#until(command, new RegExp(`${end}(\\d+)\n`));
    this.#child.stdin?.write(`. ${this.#script}; echo ":::""${end.slice(3)}$?"\n`);
    const { before, match } = await answered;
    if (match[1] === "0") return before;
    throw new LabError(`\`${command}\` ended with ${match[1]}:\n${before}`);
  }

  /** Waits until something is shown; a question for the passphrase is answered. */
  #until(command: string, pattern: RegExp): Promise<Seen> {
    return new Promise((resolve, reject) => {
      const fail = (why: string): void =>
        reject(new LabError(`\`${command}\` ${why}; shown so far:\n${this.#shown}`));
      const timer = setTimeout(() => fail(`took more than ${COMMAND_MS} ms`), COMMAND_MS);
      this.#onClosed = () => fail("had its terminal closed");
      let answered = 0;
      this.#onShown = () => {
        const asked = /(?:[Pp]assphrase (?:of|for) \S+|The same again): $/.test(this.#shown);
        if (asked && this.#shown.length > answered) {
          answered = this.#shown.length;
          this.#child.stdin?.write(`${PASSPHRASE}\r`);
        }
        const match = pattern.exec(this.#shown);
        if (match === null) return;
        clearTimeout(timer);
        this.#onShown = () => {};
        resolve({ before: this.#shown.slice(0, match.index), match });
      };
    });
  }

  /** Ends the shell; what it started in the background goes on. */
  close(): void {
    this.#child.stdin?.end("exit\n");
  }
}
