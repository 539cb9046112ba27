/**
 * change-fields — a `Change` as it travels in an envelope, and its check on arrival.
 *
 * The same names as in `change.ts`; prefixes and endpoints are text, keys are 32 bytes or their
 * base64. What is unknown, of a wrong kind or too much is refused with its place, never ignored.
 */
import * as v from "valibot";
import { PEERS_MAX, ROUTES_MAX } from "../memory/layout.ts";
import { type Cidr, formatCidr, maskCidr, parseCidr } from "../wire/cidr.ts";
import type { Change, PeerChange } from "./change.ts";
import { type Endpoint, formatEndpoint, parseEndpoint, SETTINGS } from "./config.ts";
import { parseWireguardKey } from "./identity.ts";
import { isPeerName } from "./names.ts";

const KEY_BYTES = 32;

/** Null when it is no key. A copy: msgpack's bytes lie in the envelope. */
const keyOf = (value: unknown): Uint8Array | null => {
  if (typeof value === "string") return parseWireguardKey(value);
  return value instanceof Uint8Array && value.length === KEY_BYTES ? Uint8Array.from(value) : null;
};

const key = v.pipe(
  v.custom<string | Uint8Array>((value) => keyOf(value) !== null, "must be a key of 32 bytes"),
  v.transform((value) => keyOf(value)!),
);
const prefixes = v.pipe(
  v.array(
    v.pipe(
      v.string("must be a prefix"),
      v.check((value) => parseCidr(value) !== null, "must be a prefix"),
      v.transform((value): Cidr => maskCidr(parseCidr(value)!)),
    ),
    "must be a list of prefixes",
  ),
  v.maxLength(ROUTES_MAX, `must hold at most ${ROUTES_MAX} prefixes`),
);
const endpoint = v.pipe(
  v.string("must be an endpoint"),
  v.check((value) => parseEndpoint(value) !== null, "must be an endpoint"),
  v.transform((value): Endpoint => parseEndpoint(value)!),
);
const name = v.pipe(v.string("must be a name"), v.check(isPeerName, "must be a name"));
const yes = v.literal(true, "must be true");

/** A number that the row of the configuration allows. */
const number = (called: string) => {
  const setting = SETTINGS.find((one) => one.key === called)!;
  return v.pipe(
    v.number("must be a number"),
    v.rawCheck(({ dataset, addIssue }) => {
      const result = setting.check(dataset.value);
      if ("problem" in result) addIssue({ message: result.problem });
    }),
  );
};

// biome-ignore format: a table
const PeerFields = v.strictObject({
  publicKey: key,
  remove: v.optional(yes),
  updateOnly: v.optional(yes),
  name: v.optional(v.nullable(name)),
  presharedKey: v.optional(v.nullable(key)),
  endpoint: v.optional(v.nullable(endpoint)),
  persistentKeepaliveS: v.optional(number("persistent_keepalive")),
  replaceAllowedIps: v.optional(yes),
  allowedIps: v.optional(prefixes),
  removedAllowedIps: v.optional(prefixes),
});

// biome-ignore format: a table
const ChangeFields = v.strictObject({
  privateKey: v.optional(v.nullable(key)),
  listenPort: v.optional(number("listen_port")),
  fwmark: v.optional(number("fwmark")),
  mtu: v.optional(number("mtu")),
  replacePeers: v.optional(yes),
  peers: v.optional(v.pipe(v.array(PeerFields, "must be a list"), v.maxLength(PEERS_MAX, `must hold at most ${PEERS_MAX} peers`))),
});

/** Map of an envelope. */
export type EnvelopeFields = Readonly<Record<string, unknown>>;

const peerFields = (peer: PeerChange): EnvelopeFields => {
  const { endpoint: to, allowedIps, removedAllowedIps, ...rest } = peer;
  return {
    ...rest,
    ...(to === undefined ? {} : { endpoint: to === null ? null : formatEndpoint(to) }),
    ...(allowedIps === undefined ? {} : { allowedIps: allowedIps.map(formatCidr) }),
    ...(removedAllowedIps === undefined
      ? {}
      : { removedAllowedIps: removedAllowedIps.map(formatCidr) }),
  };
};

/** What `readChange` reads. */
export const changeFields = ({ peers, ...rest }: Change): EnvelopeFields =>
  peers === undefined ? rest : { ...rest, peers: peers.map(peerFields) };

/** A checked change, or what is wrong, as a clause: "peers[0].endpoint must be an endpoint". */
export const readChange = (
  value: unknown,
): { readonly change: Change } | { readonly problem: string } => {
  if (Array.isArray(value)) return { problem: "change must be a map" };
  const result = v.safeParse(ChangeFields, value, { abortEarly: true });
  if (result.success) return { change: result.output as Change };
  const [issue] = result.issues;
  const path = (issue.path ?? []).map((item) => item.key as string | number);
  const place = ["change", ...path].reduce<string>(
    (text, part, i) =>
      typeof part === "number" ? `${text}[${part}]` : `${text}${i === 0 ? "" : "."}${part}`,
    "",
  );
  const unknown = issue.type === "strict_object" && issue.expected === "never";
  const missing = issue.type === "strict_object" && issue.received === "undefined";
  const short = place.slice(0, 80);
  if (unknown) return { problem: `${short} is unknown` };
  if (missing) return { problem: `${short} is missing` };
  const said = issue.type === "strict_object" ? "must be a map" : issue.message;
  return { problem: `${short} ${said}` };
};
