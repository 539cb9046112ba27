/**
 * member-file — writes the configuration of a member, as a person would, with its files named.
 */
import { writeFileSync } from "node:fs";
import { PORT } from "./engines.ts";
import type { Holder } from "./papers.ts";

/** Where a member's own files are. */
export interface MemberFiles extends Holder {
  readonly interfaceName: string;
  /** Of the configuration itself. */
  readonly config: string;
  readonly stateDir: string;
}

/** What a member's configuration says. */
export interface MemberPlan {
  readonly bootstrap?: readonly string[];
  readonly index?: readonly string[];
  readonly announce?: readonly string[];
  readonly acceptRoutes?: readonly string[];
  readonly lan?: boolean;
  /** File of an issuer certificate. */
  readonly issuer?: string;
  readonly neighbours?: number;
  readonly cipher?: "aes256gcm" | "chacha20poly1305";
  readonly threads?: number;
  readonly ioThreads?: number;
  readonly logLevel?: "error";
  /** Text that follows, as [[peer]]. */
  readonly rest?: string;
}

/** A line for each setting that is given. */
const settings = (values: Readonly<Record<string, unknown>>): string[] =>
  Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name} = ${JSON.stringify(value)}`],
  );

/** `networkFile`: of the network that it is a member of. */
export const writeMemberFile = (
  files: MemberFiles,
  networkFile: string,
  plan: MemberPlan = {},
): void => {
  const { bootstrap = [], index = [], announce = [], acceptRoutes = [], lan = false } = plan;
  const lines = [
    "[interface]",
    ...settings({
      ...{ name: files.interfaceName, private_key_file: files.key, listen_port: PORT },
      ...{ state_dir: files.stateDir, cipher: plan.cipher },
    }),
    "[network]",
    ...settings({
      ...{ network_file: networkFile, certificate: files.certificate, bootstrap, index },
      ...{ announce, accept_routes: acceptRoutes, lan },
      ...{ issuer: plan.issuer, neighbours: plan.neighbours },
    }),
    "[engine]",
    ...settings({
      ...{ threads: plan.threads, io_threads: plan.ioThreads, log_level: plan.logLevel },
    }),
    ...(plan.rest === undefined ? [] : [plan.rest]),
  ];
  writeFileSync(files.config, `${lines.join("\n")}\n`, { mode: 0o600 });
};
