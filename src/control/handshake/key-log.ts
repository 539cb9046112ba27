/**
 * key-log — session secrets for Wireshark, on an explicit flag only (security.md 5).
 *
 *   LOCAL_STATIC_PRIVATE_KEY = <base64>
 *   REMOTE_STATIC_PUBLIC_KEY = <base64>
 *   LOCAL_EPHEMERAL_PRIVATE_KEY = <base64>
 *   PRESHARED_KEY = <base64>                      where there is one; it belongs to the line above
 *
 * Whoever has this file reads the tunnel. It is made new, 0600, and never appended to another; it
 * ends at a named size. What goes wrong with it never breaks a handshake.
 *
 *     tshark -r capture.pcap -o wg.keylog_file:FILE
 *
 * Source: Wireshark, WireGuard protocol preferences, "Key log filename"; wireguard-tools,
 * contrib/extract-handshakes.
 */
import assert from "node:assert";
import { closeSync, constants, ftruncateSync, openSync, writeSync } from "node:fs";
import { EngineError } from "../../schema/errors.ts";
import type { Cipher } from "./suites.ts";

/** Tuning: 16 MiB are 60,000 handshakes, a day of 80 peers. */
export const KEY_LOG_BYTES_MAX = 16 * 1_048_576;

const KEY_BYTES = 32;

/** Secrets of one handshake. X25519 keys as they are used; 32 bytes each. */
export interface HandshakeSecrets {
  readonly localStaticPrivate: Uint8Array;
  readonly remoteStaticPublic: Uint8Array;
  readonly localEphemeralPrivate: Uint8Array;
  /** Null or zero: none. */
  readonly presharedKey: Uint8Array | null;
}

/** Where it says why it stopped. */
export interface KeyLogWarning {
  warn(message: string): void;
}

const base64 = (key: Uint8Array): string => {
  assert(key.length === KEY_BYTES);
  return Buffer.from(key).toString("base64");
};

/** base64 of a secret as every implementation stores it. Source: RFC 7748 5. */
const clamped = (secret: Uint8Array): string => {
  const copy = new Uint8Array(secret);
  copy[0]! &= 248;
  copy[31] = (copy[31]! & 127) | 64;
  const text = base64(copy);
  copy.fill(0);
  return text;
};

/** The lines of one handshake. */
export const keyLogLines = (secrets: HandshakeSecrets): string => {
  const { presharedKey } = secrets;
  const lines = [
    `LOCAL_STATIC_PRIVATE_KEY = ${clamped(secrets.localStaticPrivate)}`,
    `REMOTE_STATIC_PUBLIC_KEY = ${base64(secrets.remoteStaticPublic)}`,
    `LOCAL_EPHEMERAL_PRIVATE_KEY = ${clamped(secrets.localEphemeralPrivate)}`,
  ];
  if (presharedKey?.some((byte) => byte !== 0)) {
    lines.push(`PRESHARED_KEY = ${base64(presharedKey)}`);
  }
  return `${lines.join("\n")}\n`;
};

const reasonOf = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return "there is no such folder";
  if (code === "EACCES" || code === "EPERM") return "permission denied";
  if (code === "ENOSPC") return "the disk is full";
  if (code === "EROFS") return "the disk is read-only";
  return code ?? message;
};

/** What Wireshark will read of the sessions of an engine with this cipher setting. */
export const keyLogSentence = (cipher: Cipher): string =>
  cipher === "aes256gcm"
    ? 'Wireshark cannot read AES-256-GCM; set cipher to "auto" or "chacha20poly1305" to read.'
    : "The key log is on: sessions stay on ChaCha20-Poly1305, which Wireshark reads.";

/** Thread: control. */
export class KeyLog {
  readonly #file: string;
  readonly #warning: KeyLogWarning;
  readonly #bytesMax: number;
  /** -1: closed. */
  #fd: number;
  #bytes = 0;

  private constructor(file: string, fd: number, warning: KeyLogWarning, bytesMax: number) {
    this.#file = file;
    this.#fd = fd;
    this.#warning = warning;
    this.#bytesMax = bytesMax;
  }

  /** Makes the file. Errors: EngineError FILE_EXISTS, FILE_UNWRITABLE. */
  static create(file: string, warning: KeyLogWarning, bytesMax = KEY_LOG_BYTES_MAX): KeyLog {
    // O_EXCL follows no symbolic link. Source: man 2 open.
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_APPEND;
    try {
      return new KeyLog(file, openSync(file, flags, 0o600), warning, bytesMax);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "EEXIST") {
        throw new EngineError("FILE_EXISTS", { file, cause });
      }
      throw new EngineError("FILE_UNWRITABLE", { file, reason: reasonOf(cause), cause });
    }
  }

  /** Writes are being made; for `status`. */
  get on(): boolean {
    return this.#fd >= 0;
  }

  /** Writes the secrets of one handshake. Borrows: `secrets`.   Errors: never. */
  handshake(secrets: HandshakeSecrets): void {
    if (this.#fd < 0) return;
    const lines = Buffer.from(keyLogLines(secrets));
    try {
      if (this.#bytes + lines.length > this.#bytesMax) {
        this.#stop(`it has reached ${this.#bytesMax} bytes`);
        return;
      }
      const written = writeSync(this.#fd, lines);
      if (written !== lines.length) {
        // Half a handshake would be taken for another one's.
        ftruncateSync(this.#fd, this.#bytes);
        this.#stop("the disk is full");
        return;
      }
      this.#bytes += written;
    } catch (error) {
      this.#stop(reasonOf(error));
    } finally {
      lines.fill(0);
    }
  }

  close(): void {
    if (this.#fd < 0) return;
    const fd = this.#fd;
    this.#fd = -1;
    try {
      closeSync(fd);
    } catch {
      // Nothing that was written depends on it.
    }
  }

  #stop(reason: string): void {
    this.close();
    this.#warning.warn(`The key log ${this.#file} has ended: ${reason}.`);
  }
}
