/**
 * papers — the files of a network, made here by what people's commands are made of: an authority,
 * and for each member a key and a certificate. A command takes half a second, and a test needs
 * dozens of these. The commands themselves go on with the files; that they make the same ones is
 * shown by test/netns/howto-network.test.ts and test/unit/network-sign.test.ts.
 */
import { randomBytes } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { authorityText, withAuthority } from "../../src/commands/network/authority.ts";
import { armor } from "../../src/members/armor.ts";
import type { Book } from "../../src/members/book.ts";
import { CERTIFICATE_FLAG } from "../../src/members/certificate.ts";
import { foundNetwork } from "../../src/members/founding.ts";
import {
  authorityDesk,
  certify,
  type IssuedCertificate,
  withCertificates,
} from "../../src/members/issue.ts";
import {
  formatWireguardKey,
  loadIdentity,
  makeIdentity,
  parseNodeId,
} from "../../src/schema/identity.ts";
import { parseAddress, parseCidr } from "../../src/wire/cidr.ts";
import { LabError } from "./lab.ts";

const DAY_S = 86_400;
const FILE_MODE = 0o600;
/** As `network sign` has it where there is no issuer. */
const DAYS = 365;

/** What a certificate gives. */
export interface Grant {
  readonly ips: readonly string[];
  readonly routes?: readonly string[];
  readonly flags?: readonly (keyof typeof CERTIFICATE_FLAG)[];
  readonly days?: number;
}

/** A member's name and where its files are to be. */
export interface Holder {
  readonly name: string;
  readonly key: string;
  readonly certificate: string;
}

/** When an authority is founded and signs, in place of now. Units: seconds since 1970. */
interface Times {
  readonly signedS?: number;
}

const nowS = (): number => Math.floor(Date.now() / 1_000);

/** Anew, also where there is one already. */
const write = (file: string, text: string): void => {
  rmSync(file, { force: true });
  writeFileSync(file, text, { mode: FILE_MODE });
};

/** An authority's files in a folder. */
export class Papers {
  readonly authority: string;
  readonly networkFile: string;
  readonly networkId: Uint8Array;
  readonly #times: Times;

  private constructor(stem: string, networkId: Uint8Array, times: Times) {
    this.networkId = networkId;
    this.authority = `${stem}.authority`;
    this.networkFile = `${stem}.network`;
    this.#times = times;
  }

  /** As `network create --no-passphrase` does. Errors: LabError. */
  static found(folder: string, name: string, ranges: readonly string[], times: Times = {}): Papers {
    const cidrs = ranges.map((range) => parseCidr(range)!);
    const keys = { seed: randomBytes(32), secret: randomBytes(32) };
    const book = foundNetwork({ name, cidrs, ...keys, issuedS: times.signedS ?? nowS() });
    if (!book.ok) throw new LabError(`No network was founded: ${book.why}.`);
    const { networkId, bytes } = book.value.definition;
    const papers = new Papers(join(folder, name), networkId, times);
    write(papers.authority, authorityText(book.value, null));
    write(papers.networkFile, armor("network", bytes));
    return papers;
  }

  /** A new key and a certificate, as `keygen`, `request` and `network sign` make them. */
  enroll(holder: Holder, grant: Grant): Promise<string> {
    write(holder.key, makeIdentity().text);
    return this.certify(holder, grant);
  }

  /**
   * A certificate for the key that a member has, in place of the one before. Returns its WireGuard
   * public key. Errors: LabError, EngineError.
   */
  certify(holder: Holder, grant: Grant): Promise<string> {
    const { nodeId, publicKey } = loadIdentity(holder.key);
    const who = { nodeKey: parseNodeId(nodeId!)!, handshakeKey: publicKey, name: holder.name };
    return withAuthority({ authority: this.authority }, ({ book, nowS, save }) => {
      const signedS = this.#times.signedS ?? nowS;
      const { certificate, file } = sign(book, signedS, who, grant);
      const members = withCertificates(book, [certificate], signedS);
      save({ ...book, serial: book.serial + 1, members });
      write(holder.certificate, armor("certificate", file));
      return formatWireguardKey(publicKey);
    });
  }
}

const sign = (
  book: Book,
  signedS: number,
  who: Pick<Parameters<typeof certify>[1], "nodeKey" | "handshakeKey" | "name">,
  { ips, routes = [], flags = [], days = DAYS }: Grant,
): IssuedCertificate => {
  const desk = authorityDesk(book, signedS);
  const issued = certify(desk, {
    ...who,
    ...{ serial: book.serial, groups: [], reinstate: false, notAfterS: signedS + days * DAY_S },
    flags: flags.reduce((sum, flag) => sum | CERTIFICATE_FLAG[flag], 0),
    addresses: ips.map((ip) => parseAddress(ip)!),
    routes: routes.map((route) => parseCidr(route)!),
  });
  desk.secretKey.fill(0);
  if (!issued.ok) throw new LabError(`Nothing was signed for ${who.name}: ${issued.why}.`);
  return issued.value;
};
