/**
 * errors — every way in which the world says no, with one sentence that says what to do.
 *
 * Packets never raise these: they are dropped and counted (memory/layout.ts). Mistakes of our own
 * are assertions.
 */

/** `exit`: 1 failed, 2 wrong usage or configuration. `{name}` is filled from the details. */
// biome-ignore format: a table
export const ERRORS = {
  ADDON_MISSING: { exit: 1, text: "The native addon is not built; run `npm run setup`, which needs cc (apt-get install gcc libc6-dev)." },
  COMPILER_MISSING: { exit: 1, text: "No C compiler was found; run `apt-get install gcc libc6-dev` and try again." },
  USAGE: { exit: 2, text: "{reason}" },
  CONFIG_MISSING: { exit: 2, text: "The configuration {file} cannot be read ({reason}); put it right, or start with another by -c FILE." },
  CONFIG_INVALID: { exit: 2, text: "{file}: {reason}" },
  KEY_UNREADABLE: { exit: 2, text: "The key file {file} cannot be read: {reason}." },
  KEY_INVALID: { exit: 2, text: "The key file {file} is no identity; remove it and make one with `p2pvpn-engine keygen --out {file}`." },
  KEY_EXPOSED: { exit: 2, text: "The key file {file} can be read by others; run `chmod 600 {file}`." },
  KEY_SIGNS_NOTHING: { exit: 2, text: "The key file {file} is a plain WireGuard key, which signs nothing; make an identity with `p2pvpn-engine keygen --out FILE`." },
  PSK_INVALID: { exit: 2, text: "The preshared key file {file} holds no key; make one with `wg genpsk`." },
  FILE_EXISTS: { exit: 1, text: "{file} exists already; remove it or choose another name." },
  FILE_UNREADABLE: { exit: 2, text: "{file} cannot be read: {reason}." },
  FILE_WRONG_KIND: { exit: 2, text: "{file} is {what}, not {wanted}; give the file that `{command}` wrote." },
  FILE_OF_NO_NETWORK: { exit: 2, text: "{file} is {what}; give a request, certificate, network file, authority, issuer or revocations." },
  FILE_DAMAGED: { exit: 1, text: "{file} cannot be used: {reason}." },
  FILE_UNWRITABLE: { exit: 1, text: "{file} cannot be written ({reason}); choose another place." },
  OUTPUT_FAILED: { exit: 1, text: "The output cannot be written ({reason}); send it to another place." },
  CIPHER_MISSING: { exit: 1, text: "This host has no AES instructions that Node can use; set cipher to \"auto\" or \"chacha20poly1305\"." },
  TUN_MISSING: { exit: 1, text: "/dev/net/tun is not there; run `modprobe tun`, or give the container that device." },
  TUN_DENIED: { exit: 1, text: "Making the TUN device {name} was refused; run as root or with CAP_NET_ADMIN." },
  TUN_BUSY: { exit: 1, text: "The interface {name} is in use already; stop what uses it or choose another name." },
  TUN_FAILED: { exit: 1, text: "The TUN device {name} cannot be set up: {reason}." },
  ADDRESS_FAILED: { exit: 1, text: "The address {address} cannot be set on {name}: {reason}." },
  ROUTE_FAILED: { exit: 1, text: "The route {prefix} cannot be set on {name}: {reason}." },
  PORT_TAKEN: { exit: 1, text: "UDP port {port} is in use; stop what uses it or set another listen_port." },
  INDEX_RUNNING: { exit: 1, text: "An index node that has the folder {folder} runs already (process {pid}); stop it, or give another --data DIR." },
  LISTEN_FAILED: { exit: 1, text: "Nothing can be received at {place} ({reason}); give another --listen ADDR:PORT." },
  SOCKET_FAILED: { exit: 1, text: "The UDP socket cannot be opened ({reason}); look at listen_port, listen_address and bind_device." },
  PORT_HELD: { exit: 1, text: "UDP port {port} is in use by the engine on {name} (process {pid}); stop it with `p2pvpn-engine stop -i {name}` or set another listen_port." },
  CONTROL_SOCKET_FAILED: { exit: 1, text: "The control socket {file} cannot be opened ({reason}); set P2PVPN_RUN_DIR to a folder of this user." },
  UAPI_FAILED: { exit: 1, text: "The WireGuard socket {file} cannot be opened ({reason}); set P2PVPN_WG_DIR to a folder of this user." },
  UAPI_TAKEN: { exit: 1, text: "The WireGuard socket {file} belongs to another program that runs; stop it or choose another interface name." },
  DAEMON_FAILED: { exit: 1, text: "The engine ended before it was up ({reason}); run `{retry}` to see why." },
  START_FAILED: { exit: 1, text: "The engine ended before it was up ({reason}); run `p2pvpn-engine start` without --daemon to see why." },
  STOP_TIMEOUT: { exit: 1, text: "The engine on {name} (process {pid}) was still there after {seconds} seconds; look at its log." },
  ENGINE_SAID: { exit: 1, text: "{reason}" },
  ALREADY_RUNNING: { exit: 1, text: "An engine is running on {name} already{process}; stop it with `p2pvpn-engine stop -i {name}`." },
  NOT_RUNNING: { exit: 1, text: "No engine is running on {name}; {remedy}." },
  NONE_RUNNING: { exit: 1, text: "No engine is running; start one with `p2pvpn-engine start`." },
  SEVERAL_RUNNING: { exit: 2, text: "Several engines are running ({names}); choose one with -i IFACE." },
  CONTROL_DENIED: { exit: 1, text: "The control socket of {name} may not be opened; run as the user that started the engine." },
  CONTROL_LOST: { exit: 1, text: "The engine on {name} closed the connection before it answered; see with `p2pvpn-engine status` whether it still runs." },
  CONTROL_TIMEOUT: { exit: 1, text: "The engine on {name} did not answer in {seconds} seconds; try again, or start it anew." },
  CONTROL_BAD_ENVELOPE: { exit: 1, text: "A message on the control socket was damaged or too large; use the p2pvpn-engine that the engine was started with." },
  CONTROL_UNKNOWN: { exit: 1, text: "The engine does not know the request {type}; it may be of another version." },
  CONTROL_BAD_REQUEST: { exit: 1, text: "The engine cannot read the request {type}: {reason}." },
  PEER_UNKNOWN: { exit: 1, text: "No peer of {name} is called {peer}; `p2pvpn-engine peers -i {name}` shows them." },
  PEER_AMBIGUOUS: { exit: 2, text: "Several peers of {name} have a key that begins with {peer}; write more of it." },
  PEER_NAME_TAKEN: { exit: 2, text: "Another peer of {name} is called {peer} already; choose another --name." },
  PEER_IS_SELF: { exit: 2, text: "This is the public key of {name} itself; give the peer's." },
  ROUTE_TAKEN: { exit: 2, text: "{prefix} leads to {peer} already; {remedy}." },
  ROUTE_UNKNOWN: { exit: 1, text: "{prefix} is no route{peer}; `p2pvpn-engine routes -i {name}` shows them." },
  SETTING_UNKNOWN: { exit: 2, text: "There is no setting {key}; {remedy}" },
  SETTING_NOT_LIVE: { exit: 2, text: "{key} cannot be changed while the engine runs; {remedy}." },
  RESOLVE_FAILED: { exit: 1, text: "The endpoint {name} cannot be resolved: {reason}." },
  OWN_KEY: { exit: 2, text: "{key} is this host's own public key; name the peer's." },
  KEY_OF_NOBODY: { exit: 2, text: "{key} is nobody's public key; copy it again from the peer's keygen." },
  MTU_TOO_SMALL: { exit: 2, text: "An MTU below {least} would take the IPv6 addresses from {name}; remove them first." },
  NO_CONFIG: { exit: 1, text: "This engine was started without a configuration; change it with `wg` or `p2pvpn-engine config set`." },
  LIMIT: { exit: 1, text: "An engine takes at most {count} {what}; remove some first." },
  NETWORK_PEER: { exit: 1, text: "{peer} is a member of the network, whose certificate says what it may; only persistent_keepalive can be set here." },
  NO_NETWORK: { exit: 1, text: "The engine on {name} is in no network; start it with [network] in its configuration." },
  AUTHORITY_EXPOSED: { exit: 2, text: "The authority {file} can be read by others; run `chmod 600 {file}`." },
  AUTHORITY_BUSY: { exit: 1, text: "Another command has had the authority {file} for {seconds} seconds; try again when it is done." },
  AUTHORITY_CHANGED: { exit: 1, text: "{file} was changed by something else meanwhile; nothing was done, run this again." },
  PASSPHRASE_MISSING: { exit: 2, text: "There is no terminal to ask for the passphrase of {file} on; give it by --{option} FILE." },
  PASSPHRASE_WRONG: { exit: 1, text: "The passphrase does not open {file}; try again, or take the backup if the file is damaged." },
  PASSPHRASE_EMPTY: { exit: 2, text: "An empty passphrase protects nothing; choose one of several words, or say --no-passphrase." },
  PASSPHRASE_DIFFERS: { exit: 2, text: "The two passphrases differ; try again." },
  PASSPHRASE_UNREADABLE: { exit: 2, text: "The passphrase file {file} cannot be used: {reason}." },
  NOT_SIGNED: { exit: 1, text: "{name} is not certified: {reason}." },
  MEMBER_UNKNOWN: { exit: 1, text: "No member is called {name}; `p2pvpn-engine network show {file}` lists them." },
  ISSUER_REFUSED: { exit: 1, text: "The issuer {file} cannot sign: {reason}." },
  NOT_RESTORED: { exit: 1, text: "{file} is not brought up to date: {reason}." },
  CLOCK_BEHIND: { exit: 1, text: "The clock of this machine says {now}, which is before {file} last signed something ({last}); set the clock." },
  PUBLISH_REFUSED: { exit: 1, text: "The engine does not take it: {reason}." },
  NOT_PUBLISHED: { exit: 1, text: "It is signed, and not published ({reason}); publish it with `p2pvpn-engine network publish {file}`." },
  NOT_INVITED: { exit: 1, text: "Nobody is invited: {reason}." },
  TOKEN_INVALID: { exit: 2, text: "The invitation cannot be used: {reason}." },
  NOT_JOINED: { exit: 1, text: "This host did not join {network}: {reason}." },
  KEY_FIXED: { exit: 1, text: "The key of this interface comes from its identity file; change the file and start again." },
  MEMORY: { exit: 1, text: "Not enough memory: {reason}." },
  THREAD_DIED: { exit: 1, text: "The {thread} thread ended: {reason}." },
  TOOL_MISSING: { exit: 1, text: "{tool} is not installed; run `apt-get install {packages}`." },
  PRIVILEGE: { exit: 1, text: "{what} needs root; run it with sudo." },
  DEMO_FAILED: { exit: 1, text: "The demo failed: {reason}." },
} as const satisfies Record<string, { readonly exit: 1 | 2; readonly text: string }>;

export type ErrorCode = keyof typeof ERRORS;

export interface ErrorDetails {
  readonly cause?: unknown;
  readonly [detail: string]: unknown;
}

/** An error for people: `message` is one sentence that says what to do. */
export class EngineError extends Error {
  override readonly name = "EngineError";
  readonly code: ErrorCode;
  /** Exit code of the command line: 1 failed, 2 wrong usage. */
  readonly exit: 1 | 2;

  constructor(code: ErrorCode, details: ErrorDetails = {}) {
    const { cause, ...values } = details;
    const text = ERRORS[code].text.replace(/\{(\w+)\}/g, (_, key: string) =>
      String(values[key] ?? "?"),
    );
    super(text, cause === undefined ? undefined : { cause });
    this.code = code;
    this.exit = ERRORS[code].exit;
  }
}

/** What an engine answered or a child process said: its sentence and its exit code. */
export class SaidError extends EngineError {
  override readonly exit: 1 | 2;
  /** The engine's own code. */
  readonly said: string;
  constructor(reason: string, code: string) {
    super("ENGINE_SAID", { reason });
    this.said = code;
    this.exit = Object.hasOwn(ERRORS, code) ? ERRORS[code as ErrorCode].exit : 1;
  }
}
