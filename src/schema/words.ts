/**
 * words — what people write where we have another word, or none, and what to tell them.
 *
 * A guess is made where it is near, and from the tables below; where neither helps, the words that
 * there are are listed. Unknown words are shown cut: a secret may stand in their place.
 */

/** Edits (insert, delete, replace a character) that make one word of the other. */
const distance = (from: string, to: string): number => {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (const [i, letter] of [...from].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...to].entries()) {
      const replaced = row[j]! + (letter === other ? 0 : 1);
      next.push(Math.min(replaced, row[j + 1]! + 1, next[j]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
};

/** Tuning: longer words are cut before they are compared. */
const WORD_CHARACTERS = 40;
/** Of an unknown word so much is repeated: a secret may stand in its place. */
const SHOWN_CHARACTERS = 24;
/** Tuning: a shorter word is the beginning of too many others. */
const PART_CHARACTERS = 3;

/** An unknown word for a sentence. */
export const shownKey = (key: string): string =>
  key.length > SHOWN_CHARACTERS ? `${key.slice(0, 4)}…` : key;

/** The nearest known word, or null when it is further than `editsMax`. */
export const nearestWithin = (
  word: string,
  known: readonly string[],
  editsMax: number,
): string | null => {
  const short = word.slice(0, WORD_CHARACTERS);
  let best: string | null = null;
  let least = editsMax;
  for (const candidate of known) {
    const begins = short.length >= PART_CHARACTERS && candidate.startsWith(short);
    const edits = begins || short.startsWith(candidate) ? 0.5 : distance(short, candidate);
    if (edits > least || (edits === least && best !== null)) continue;
    best = candidate;
    least = edits;
  }
  return best;
};

/** The word that was likely meant: a third of its letters may be wrong, and three at most. */
export const meant = (word: string, known: readonly string[]): string | null =>
  nearestWithin(word, known, Math.min(3, Math.floor(word.length / 3)));

/** Without case, "_" and "-": as words are compared in the tables below. */
export const plainWord = (word: string): string => word.toLowerCase().replace(/[_\s-]/g, "");

const HOOK = "there is none, since no command is run; do what it does where the engine is started";
const DNS = "there is none; set the name server with resolvectl or in resolv.conf";

/** By plain words: keys that no section has, and what is done instead. */
// biome-ignore format: a table
const NONE: Readonly<Record<string, string>> = {
  dns: DNS, dnsservers: DNS, nameserver: DNS, nameservers: DNS, search: DNS, domain: DNS,
  preup: HOOK, postup: HOOK, predown: HOOK, postdown: HOOK, up: HOOK, down: HOOK, script: HOOK,
  table: 'there is none; write routes = "leave" and set the routes in a table of your own',
  saveconfig: "there is none; the engine never writes this file",
  keylog: "it is an option, start --key-log FILE",
  daemon: "it is an option, start --daemon",
  config: "it is an option, start -c FILE",
  user: "there is none; the engine keeps CAP_NET_ADMIN alone",
  group: "there is none; the engine keeps CAP_NET_ADMIN alone",
  gateway: 'there is none; list "0.0.0.0/0" in allowed_ips of a peer and set the route yourself',
  nat: "there is none; set it with nft",
  proto: "there is none; datagrams are UDP", protocol: "there is none; datagrams are UDP",
};

type Section = "interface" | "peer" | "network" | "engine";

/** By plain words: the key of that section that is meant. */
// biome-ignore format: a table
const ALIASES: Readonly<Record<Section, Readonly<Record<string, string>>>> = {
  interface: {
    privatekey: "private_key_file", key: "private_key_file", keyfile: "private_key_file", identity: "private_key_file",
    identityfile: "private_key_file", secret: "private_key_file", privatekeypath: "private_key_file", private: "private_key_file",
    address: "addresses", addr: "addresses", ip: "addresses", ips: "addresses", ipaddress: "addresses", ipv4: "addresses", ipv6: "addresses", localip: "addresses",
    port: "listen_port", listen: "listen_port", udpport: "listen_port", localport: "listen_port", bindport: "listen_port",
    bind: "listen_address", bindaddress: "listen_address", listenip: "listen_address", host: "listen_address", listenhost: "listen_address", local: "listen_address",
    mark: "fwmark", firewallmark: "fwmark", somark: "fwmark",
    iface: "name", ifname: "name", interface: "name", interfacename: "name", device: "name", dev: "name", tun: "name", tunname: "name", devicename: "name",
    bindinterface: "bind_device", binddev: "bind_device",
    suite: "cipher", encryption: "cipher", crypto: "cipher", algorithm: "cipher",
    route: "routes", installroutes: "routes", setroutes: "routes",
    state: "state_dir", statefolder: "state_dir", datadir: "state_dir", statedirectory: "state_dir",
  },
  peer: {
    keepalive: "persistent_keepalive", keepaliveinterval: "persistent_keepalive", persistentkeepaliveinterval: "persistent_keepalive", ping: "persistent_keepalive",
    port: "endpoint", host: "endpoint", hostname: "endpoint", remote: "endpoint", server: "endpoint", endpointhost: "endpoint", endpointport: "endpoint",
    endpointaddress: "endpoint", endpoints: "endpoint", address: "endpoint", ip: "endpoint", remoteport: "endpoint",
    allowed: "allowed_ips", ips: "allowed_ips", prefixes: "allowed_ips", subnets: "allowed_ips", networks: "allowed_ips", allowedaddresses: "allowed_ips", allowednetworks: "allowed_ips",
    psk: "preshared_key_file", presharedkey: "preshared_key_file", pskfile: "preshared_key_file", presharedsecret: "preshared_key_file", sharedkey: "preshared_key_file",
    key: "public_key", pubkey: "public_key", wireguardpublickey: "public_key", nodeid: "public_key", id: "public_key", publickeyfile: "public_key",
    routes: "allowed_ips", addresses: "allowed_ips",
    description: "name", comment: "name", label: "name", friendlyname: "name", alias: "name",
  },
  network: {
    network: "network_file", networkfile: "network_file", file: "network_file", name: "network_file", authority: "network_file",
    cert: "certificate", certfile: "certificate", certificatefile: "certificate", crt: "certificate",
    indexes: "index", indexnode: "index", indexnodes: "index", server: "index", servers: "index", lighthouse: "index", lighthouses: "index", rendezvous: "index", supernode: "index", tracker: "index",
    bootstraps: "bootstrap", bootstrapnodes: "bootstrap", seeds: "bootstrap", seed: "bootstrap", connectto: "bootstrap", peers: "bootstrap", peer: "bootstrap", members: "bootstrap",
    advertise: "announce", advertiseroutes: "announce", routes: "announce", subnets: "announce", subnet: "announce", exports: "announce", unsaferoutes: "announce",
    accept: "accept_routes", acceptedroutes: "accept_routes", imports: "accept_routes",
    beacon: "lan", multicast: "lan", discovery: "lan", localdiscovery: "lan", mdns: "lan",
    neighbors: "neighbours", neighbor: "neighbours", neighbour: "neighbours", degree: "neighbours",
  },
  engine: {
    workers: "threads", workerthreads: "threads", cpus: "threads", cores: "threads",
    loglevel: "log_level", log: "log_level", level: "log_level", verbosity: "log_level", verbose: "log_level", debug: "log_level",
    iothread: "io_threads", queues: "io_threads", offload: "tun_offload", offloads: "tun_offload",
  },
};

const own = <Value>(table: Readonly<Record<string, Value>>, key: string): Value | undefined =>
  Object.hasOwn(table, key) ? table[key] : undefined;

/** What is done where there is no such key, as a clause; null: the tables do not know. */
export const noneOf = (key: string): string | null => own(NONE, plainWord(key)) ?? null;

/** The key of a section that a word stands for; null: the tables do not know. */
export const aliasOf = (section: Section, key: string): string | null =>
  own(ALIASES[section], plainWord(key)) ?? null;

/** Keys of AmneziaWG: they change messages, so that no other WireGuard understands them. */
const AMNEZIA = /^(jc|jmin|jmax|s[1-4]|h[1-4]|i[1-5]|j[1-3]|itime)$/i;

export const isAmnezia = (key: string): boolean => AMNEZIA.test(key);

/** Said once a file. */
export const AMNEZIA_SENTENCE =
  "Jc, Jmin, Jmax, S1, H1, I1 and the like are keys of AmneziaWG, whose messages no other " +
  "WireGuard understands; remove them here and at the peer, or run AmneziaWG.";

/** By plain words: what a choice of words is called elsewhere. */
// biome-ignore format: a table
const CHOICES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  cipher: { aes: "aes256gcm", aesgcm: "aes256gcm", aes256: "aes256gcm", gcm: "aes256gcm", chacha: "chacha20poly1305", chacha20: "chacha20poly1305", chachapoly: "chacha20poly1305", default: "auto", any: "auto" },
  log_level: { verbose: "debug", trace: "debug", warning: "warn", fatal: "error", off: "silent", none: "silent", quiet: "silent", false: "silent", notice: "info", information: "info" },
  routes: { auto: "install", on: "install", true: "install", yes: "install", add: "install", main: "install", off: "leave", false: "leave", no: "leave", none: "leave", manual: "leave", keep: "leave" },
  hand_over: { never: "inline", off: "inline", false: "inline", true: "always", on: "always" },
  quirks: { true: "avoid", on: "avoid", false: "ignore", off: "ignore", none: "ignore" },
};

/** The word of a choice that is meant; null: none is near. */
export const choiceOf = (key: string, text: string, words: readonly string[]): string | null => {
  const plain = plainWord(text);
  const alias = own(own(CHOICES, key) ?? {}, plain);
  return words.find((word) => word === plain) ?? alias ?? meant(plain, words);
};
