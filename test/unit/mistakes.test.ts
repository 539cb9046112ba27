/**
 * mistakes — what people write in configurations, and the sentence that each of them reads: where
 * it is, and what to write instead. Each row is a file and all that is said of it.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { EngineError } from "../../src/schema/errors.ts";
import { formatWireguardKey } from "../../src/schema/identity.ts";
import { loadConfig } from "../../src/schema/load-config.ts";

const folder = mkdtempSync(join(tmpdir(), "p2pvpn-mistakes-"));
after(() => rmSync(folder, { recursive: true }));

const keyOf = (n: number): string => formatWireguardKey(new Uint8Array(32).fill(n));
const SECRET = keyOf(7);
const KEY = keyOf(1);
const OTHER_KEY = keyOf(2);
const HEAD = '[interface]\nprivate_key_file = "own.key"\n';
const PEER = `[[peer]]\npublic_key = "${KEY}"\n`;
const OTHER = `[[peer]]\npublic_key = "${OTHER_KEY}"\n`;
const QUICK = `[Interface]\nPrivateKey = ${SECRET}\n`;
const QUICK_PEER = `[Peer]\nPublicKey = ${KEY}\n`;
writeFileSync(join(folder, "own.key"), SECRET, { mode: 0o600 });

type Row = readonly [text: string, ...said: string[]];

// biome-ignore format: a table
const TOML: readonly Row[] = [
  [`${HEAD}cipher = chacha20poly1305`, `line 3, column 10: text is written in quotes; write cipher = "chacha20poly1305".`],
  [`${HEAD}name = p2p0`, `line 3, column 8: text is written in quotes; write name = "p2p0".`],
  [`[interface]\nprivate_key_file = own.key`, `line 2, column 20: text is written in quotes; write private_key_file = "own.key".`],
  [`${HEAD}addresses = 10.66.0.1/24`, `line 3, column 13: a list is written in brackets; write addresses = ["10.66.0.1/24"].`],
  [`${HEAD}addresses = [10.66.0.1/24, fd66::1/64]`, `line 3, column 13: items of a list are in quotes, with commas between; write addresses = ["10.66.0.1/24", "fd66::1/64"].`],
  [`${HEAD}addresses = "10.66.0.1/24"`, `line 3: addresses in [interface] must be a list like ["10.66.0.0/24"], not "10.66.0.1/24"; write addresses = ["10.66.0.1/24"].`],
  [`${HEAD}addresses = "10.66.0.1/24", "fd66::1/64"`, `line 3, column 13: a list is written in brackets; write addresses = ["10.66.0.1/24", "fd66::1/64"].`],
  [`${HEAD}addresses = ["10.66.0.1/24" "fd66::1/64"]`, `line 3, column 13: items of a list are in quotes, with commas between; write addresses = ["10.66.0.1/24", "fd66::1/64"].`],
  [`${HEAD}addresses = ["10.66.0.1/24"`, `line 3, column 13: the list is not closed; write addresses = ["10.66.0.1/24"].`],
  [`${HEAD}addresses = ["10.66.0.1/24",\n"fd66::1/64"\nmtu = 1400`, `line 3, column 13: the list is not closed; write addresses = ["10.66.0.1/24", "fd66::1/64"].`],
  [`${HEAD}name = "p2p0`, `line 3, column 8: the quote is not closed; write name = "p2p0".`],
  [`${HEAD}name = 'p2p0`, `line 3, column 8: the quote is not closed; write name = "p2p0".`],
  [`${HEAD}name = p2p0"`, `line 3, column 8: text is written in quotes; write name = "p2p0".`],
  [`${HEAD}name = “p2p0”`, `line 3, column 8: quotes must be straight, like "; write name = "p2p0".`],
  [`${HEAD}name: p2p0`, `line 3, column 7: = stands between key and value, not :; write name = "p2p0".`],
  [`${HEAD}name: "p2p0"`, `line 3, column 7: = stands between key and value, not :; write name = "p2p0".`],
  [`${HEAD}mtu 1400`, `line 3, column 5: = is missing between key and value; write mtu = 1400.`],
  [`${HEAD}mtu == 1400`, `line 3, column 8: = stands between key and value, not ==; write mtu = 1400.`],
  [`${HEAD}mtu := 1400`, `line 3, column 8: = stands between key and value, not :=; write mtu = 1400.`],
  [`${HEAD}mtu = 1400,`, `line 3, column 7: nothing may follow the value; write mtu = 1400.`],
  [`${HEAD}mtu = 1400;`, `line 3, column 7: nothing may follow the value; write mtu = 1400.`],
  [`${HEAD}name = "p2p0",`, `line 3, column 8: nothing may follow the value; write name = "p2p0".`],
  [`${HEAD}mtu = 1400 // big`, `line 3, column 7: a comment begins with #; write mtu = 1400.`],
  [`${HEAD}// comment`, `line 3: a comment begins with #; write # in front of this line.`],
  [`${HEAD}; comment`, `line 3: a comment begins with #; write # in front of this line.`],
  [`${HEAD}/* comment */`, `line 3: a comment begins with #; write # in front of this line.`],
  [`${HEAD}hello there`, `line 3: this is neither a [section] nor key = value; write # in front of it if it is a comment.`],
  [`${HEAD}hello`, `line 3: this is neither a [section] nor key = value; write # in front of it if it is a comment.`],
  [`${HEAD}mtu`, `line 3, column 4: = is missing between key and value; write it like mtu = 1420.`],
  [`${HEAD}mtu =`, `line 3, column 6: the value is missing; write it like mtu = 1420.`],
  [`${HEAD}name =`, `line 3, column 7: the value is missing; write it like name = "p2p0".`],
  [`${HEAD}mtu = 1400 bytes`, `line 3, column 7: a number stands alone, in digits; write mtu = 1400.`],
  [`${HEAD}mtu = "1400"`, `line 3: mtu in [interface] must be a whole number from 576 to 65455, not "1400"; write mtu = 1400.`],
  [`${HEAD}mtu = 1,400`, `line 3, column 7: a number stands alone, in digits; write mtu = 1400.`],
  [`${HEAD}mtu = 01400`, `line 3, column 7: a number stands alone, in digits; write mtu = 1400.`],
  [`${HEAD}listen_port = :51820`, `line 3, column 15: a number stands alone, in digits; write listen_port = 51820.`],
  [`${HEAD}[engine]\ngso = yes`, `line 4, column 7: it must be true or false; write gso = true.`],
  [`${HEAD}[engine]\ngso = True`, `line 4, column 7: it must be true or false; write gso = true.`],
  [`${HEAD}[engine]\ngso = "off"`, `line 4: gso in [engine] must be true or false, not "off"; write gso = false.`],
  [`${HEAD}[engine]\ngso = 1`, `line 4: gso in [engine] must be true or false, not 1; write gso = true.`],
  [`${HEAD}[engine]\nthreads = auto`, `line 4, column 11: a number stands alone, in digits; write it like threads = 2.`],
  [`${HEAD}[engine]\nlog_level = INFO`, `line 4, column 13: text is written in quotes; write log_level = "info".`],
  [`${HEAD}[engine]\nlog_level = "verbose"`, `line 4: log_level in [engine] must be "silent" or "error" or "warn" or "info" or "debug", not "verbose"; write log_level = "debug".`],
  [`${HEAD}[engine]\nlog_level = "WARNING"`, `line 4: log_level in [engine] must be "silent" or "error" or "warn" or "info" or "debug", not "WARNING"; write log_level = "warn".`],
  [`${HEAD}[peer]\npublic_key = "${KEY}"`, `line 3: this section is written [[peer]], with two brackets, once for each peer.`],
  [`${HEAD}[peer]\npublic_key = "${KEY}"\n[peer]\npublic_key = "${OTHER_KEY}"`, `line 3: this section is written [[peer]], with two brackets, once for each peer.`, `line 5: this section is written [[peer]], with two brackets, once for each peer.`],
  [`${HEAD}[peers]\nx=1`, `line 3: this section is written [[peer]], with two brackets, once for each peer.`, `line 3: [[peer]] 1 needs public_key; write the WireGuard public key that the peer's keygen printed.`, `line 4: unknown key x in [[peer]] 1; remove it, the keys there are name, public_key, preshared_key_file, allowed_ips, endpoint, persistent_keepalive.`],
  [`${HEAD}[[peers]]\npublic_key = "${KEY}"`, `line 3: this section is written [[peer]], with two brackets, once for each peer.`],
  [`${HEAD}[Peer]\n`, `line 3: this section is written [[peer]], with two brackets, once for each peer.`, `line 3: [[peer]] 1 needs public_key; write the WireGuard public key that the peer's keygen printed.`],
  [`${HEAD}[[peer]\npublic_key = "${KEY}"`, `line 3: this section is written [[peer]], with two brackets, once for each peer, alone on its line.`],
  [`${HEAD}[peer.office]\npublic_key = "${KEY}"`, `line 3: this section is written [[peer]], with two brackets, once for each peer.`],
  [`${HEAD}[[peer]]\npublic_key = ${KEY}`, `line 4, column 14: text is written in quotes; write public_key = "…".`],
  [`${HEAD}${PEER}endpoint = 203.0.113.7:51820`, `line 5, column 12: text is written in quotes; write endpoint = "203.0.113.7:51820".`],
  [`${HEAD}${PEER}endpoint = "203.0.113.7"`, `line 5: endpoint in [[peer]] 1 must be like "host:51820", "203.0.113.7:51820" or "[2001:db8::7]:51820", not "203.0.113.7"; write endpoint = "203.0.113.7:51820".`],
  [`${HEAD}${PEER}endpoint = "fd00::1:51820"`, `line 5: endpoint in [[peer]] 1 must be like "host:51820", "203.0.113.7:51820" or "[2001:db8::7]:51820", not "fd00::1:51820"; write endpoint = "[fd00::1]:51820".`],
  [`${HEAD}${PEER}endpoint = "2001:db8::7"`, `line 5: endpoint in [[peer]] 1 must be like "host:51820", "203.0.113.7:51820" or "[2001:db8::7]:51820", not "2001:db8::7"; write endpoint = "[2001:db8::7]:51820".`],
  [`${HEAD}${PEER}endpoint = "udp://vpn.example.org:51820"`, `line 5: endpoint in [[peer]] 1 must be like "host:51820", "203.0.113.7:51820" or "[2001:db8::7]:51820", not "udp://vpn.example.org:51820"; write endpoint = "vpn.example.org:51820".`],
  [`${HEAD}${PEER}endpoint = "vpn.example.org 51820"`, `line 5: endpoint in [[peer]] 1 must be like "host:51820", "203.0.113.7:51820" or "[2001:db8::7]:51820", not "vpn.example.org 51820"; write endpoint = "vpn.example.org:51820".`],
  [`${HEAD}${PEER}endpoint = "vpn.example.org:0"`, `line 5: endpoint in [[peer]] 1 must be like "host:51820", "203.0.113.7:51820" or "[2001:db8::7]:51820", not "vpn.example.org:0".`],
  [`[Interface]\nPrivateKey = x\nAddress = 10.0.0.1/24`, `this is a wg-quick file; rename it so that it ends in .conf, like wg0.conf.`],
  [`[Interface]\nprivate_key_file = "own.key"\naddresses = ["10.0.0.1/24"]`, `line 1: this section is written [interface].`],
  [`${HEAD}mtu = 1400\nmtu = 1300`, `line 4: mtu stands twice in [interface], first in line 3; keep one.`],
  [`${HEAD}[interface]\nmtu = 1400`, `line 3: [interface] stands here again, first in line 1; put all its keys there.`],
  [`[[interface]]\nprivate_key_file = "own.key"`, `line 1: this section is written [interface].`],
  [`[interface\nprivate_key_file = "own.key"`, `line 1: this section is written [interface], alone on its line.`],
  [`interface:\n  name: p2p0\n`, `line 1: a section is written [interface].`, `line 1: [interface] needs private_key_file; write private_key_file = "own.key", and make it with \`p2pvpn-engine keygen --out own.key\`.`, `line 2, column 9: = stands between key and value, not :; write name = "p2p0".`],
  [`{"interface": {"name": "p2p0"}}`, `this is JSON; write it in TOML: [interface], and key = value on lines below.`],
  [`name = "p2p0"\n${HEAD}`, `line 1: name belongs into [interface]; write it below that.`],
  [`[interface]\rprivate_key_file = "own.key"\r`, `its lines end in CR alone; save the file with LF.`],
  [`${HEAD}mtu\u00a0= 1400`, `line 3, column 4: the character U+00A0 looks like a space and is none; write a space.`],
  [`${HEAD}mtu = 14\u000000`, `line 3, column 9: a control character stands here (U+0000); remove it.`],
  [`${HEAD}keepalive = 25`, `line 3: unknown key keepalive in [interface]; write persistent_keepalive in [[peer]].`],
  [`${HEAD}${PEER}keepalive = 25`, `line 5: unknown key keepalive in [[peer]] 1; write persistent_keepalive.`],
  [`${HEAD}port = 51820`, `line 3: unknown key port in [interface]; write listen_port.`],
  [`${HEAD}${PEER}port = 51820`, `line 5: unknown key port in [[peer]] 1; write endpoint, like "203.0.113.7:51820", host and port.`],
  [`${HEAD}${PEER}allowedips = ["10.0.0.0/8"]`, `line 5: unknown key allowedips in [[peer]] 1; write allowed_ips.`],
  [`${HEAD}${PEER}AllowedIPs = 10.0.0.0/8`, `line 5: unknown key AllowedIPs in [[peer]]; write allowed_ips.`],
  [`${HEAD}${PEER}endpoint_host = "x"`, `line 5: unknown key endpoint_host in [[peer]] 1; write endpoint, like "203.0.113.7:51820", host and port.`],
  [`${HEAD}dns = ["1.1.1.1"]`, `line 3: unknown key dns in [interface]; there is none; set the name server with resolvectl or in resolv.conf.`],
  [`${HEAD}post_up = "x"`, `line 3: unknown key post_up in [interface]; there is none, since no command is run; do what it does where the engine is started.`],
  [`${HEAD}PostUp = iptables -A x`, `line 3: unknown key PostUp in [interface]; there is none, since no command is run; do what it does where the engine is started.`],
  [`${HEAD}table = 1234`, `line 3: unknown key table in [interface]; there is none; write routes = "leave" and set the routes in a table of your own.`],
  [`${HEAD}address = "10.0.0.1/24"`, `line 3: unknown key address in [interface]; write addresses.`],
  [`${HEAD}private_key = "${SECRET}"`, `line 3: unknown key private_key in [interface]; write private_key_file, which names a file.`],
  [`${HEAD}PrivateKey = ${SECRET}`, `line 3: unknown key PrivateKey in [interface]; write private_key_file, which names a file.`],
  [`${HEAD}listen-port = 51820`, `line 3: unknown key listen-port in [interface]; write listen_port.`],
  [`${HEAD}listen_prot = 1`, `line 3: unknown key listen_prot in [interface]; did you mean listen_port?`],
  [`${HEAD}bind_device = "p2p0"`, `line 3: bind_device in [interface] is the tunnel itself; write what leads to the network.`],
  [`${HEAD}addresses = ["fd66::2/64", "fd66::2/80"]`, `line 3: fd66::2/80 is in addresses with two prefix lengths; remove one.`],
  [`${HEAD}dhcp = true`, `line 3: unknown key dhcp in [interface]; remove it, the keys there are name, private_key_file, addresses, listen_port, listen_address, bind_device, fwmark, mtu, routes, state_dir, cipher.`],
  [`${HEAD}jc = 4`, `line 3: Jc, Jmin, Jmax, S1, H1, I1 and the like are keys of AmneziaWG, whose messages no other WireGuard understands; remove them here and at the peer, or run AmneziaWG.`],
  [`${HEAD}${PEER}routes = ["10.0.0.0/8"]`, `line 5: unknown key routes in [[peer]] 1; write allowed_ips.`],
  [`${HEAD}${PEER}psk = "x"`, `line 5: unknown key psk in [[peer]] 1; write preshared_key_file, which names a file.`],
  [`${HEAD}[[peer]]\npublic_key = "p2p:OKGoLgvztmHF4bwnQh1arVn1uvoj2UAb0yOGgKzCxgc"\n`, `line 4: public_key in [[peer]] 1 is a node id; write the peer's WireGuard public key, which keygen prints below it.`],
  [`${HEAD}[[peer]]\npublic_key = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"\n`, `line 4: public_key in [[peer]] 1 must be the peer's WireGuard public key, 44 characters of base64 as keygen prints it.`],
  [`[interface]\nprivate_key_file = "~/own.key"`, `line 2: private_key_file in [interface] must be a whole path, or one beside this file (only a shell knows ~ and $HOME), not "~/own.key".`],
  [`[interface]\nprivate_key_file = "$HOME/own.key"`, `line 2: private_key_file in [interface] must be a whole path, or one beside this file (only a shell knows ~ and $HOME), not "$HOME/own.key".`],
  [`${HEAD}state_dir = "~/x"`, `line 3: state_dir in [interface] must be a whole path, or one beside this file (only a shell knows ~ and $HOME), not "~/x".`],
  [`[interface]\nprivate_key_file = "${SECRET}"`, `line 2: private_key_file in [interface] must name a file that holds the key, not the key itself.`],
  [`[interface]\nprivate_key_file = "none.key"`, `line 2: the key file none.key cannot be read: there is no such file; make one with \`p2pvpn-engine keygen --out none.key\`.`],
  [`${HEAD}addresses = ["10.66.0.1/255.255.255.0"]`, `line 3: "10.66.0.1/255.255.255.0" in addresses of [interface] must be like "10.66.0.1/24" or "fd66::1/64"; write "10.66.0.1/24".`],
  [`${HEAD}addresses = ["10.66.0.1/33"]`, `line 3: "10.66.0.1/33" in addresses of [interface] must be like "10.66.0.1/24" or "fd66::1/64".`],
  [`${HEAD}addresses = [\n"10.66.0.1/24",\n"10.66.0.300/24",\n]`, `line 5: "10.66.0.300/24" in addresses of [interface] must be like "10.66.0.1/24" or "fd66::1/64".`],
  [`${HEAD}listen_address = "192.0.2.1:51820"`, `line 3: listen_address in [interface] must be an IP address, not "192.0.2.1:51820"; write listen_address = "192.0.2.1".`],
  [`${HEAD}name = "averyveryverylongname"`, `line 3: name in [interface] must be 1 to 15 letters, digits or _ = + . - but not ., .., all or default, not "averyveryverylongname".`],
  [`${HEAD}${PEER}name = "my_office"`, `line 5: name in [[peer]] 1 must be 1 to 63 letters, digits or hyphens, with none at its ends, not "my_office"; write name = "my-office".`],
  [`${HEAD}cipher = "AES-256-GCM"`, `line 3: cipher in [interface] must be "auto" or "chacha20poly1305" or "aes256gcm", not "AES-256-GCM"; write cipher = "aes256gcm".`],
  [`${HEAD}cipher = "none"`, `line 3: cipher in [interface] must be "auto" or "chacha20poly1305" or "aes256gcm", not "none".`],
  [`${HEAD}routes = "off"`, `line 3: routes in [interface] must be "install" or "leave", not "off"; write routes = "leave".`],
  [`${HEAD}routes = true`, `line 3: routes in [interface] must be "install" or "leave", not true; write routes = "install".`],
  [`${HEAD}mtu = 100`, `line 3: mtu in [interface] must be a whole number from 576 to 65455, not 100.`],
  [`${HEAD}mtu = 1420.5`, `line 3: mtu in [interface] must be a whole number from 576 to 65455, not 1420.5.`],
  [`${HEAD}${PEER}allowed_ips = "10.0.0.0/8"`, `line 5: allowed_ips in [[peer]] 1 must be a list like ["10.66.0.0/24"], not "10.0.0.0/8"; write allowed_ips = ["10.0.0.0/8"].`],
  [`${HEAD}${PEER}persistent_keepalive = 25s`, `line 5, column 24: a number stands alone, in digits; write persistent_keepalive = 25.`],
  [`${HEAD}${PEER}persistent_keepalive = "off"`, `line 5: persistent_keepalive in [[peer]] 1 must be a whole number from 0 to 65535, not "off"; write persistent_keepalive = 0.`],
  [`${HEAD}fwmark = "0xca6c"`, `line 3: fwmark in [interface] must be a whole number from 0 to 4294967295, not "0xca6c"; write fwmark = 0xca6c.`],
  [`${HEAD}fwmark = ca6c`, `line 3, column 10: a number stands alone, in digits; write it like fwmark = 0.`],
  [`${HEAD}private_key_file = C:\\keys`, `line 3, column 20: text is written in quotes; write private_key_file = "…".`],
  [`[interface]\nprivate_key_file = "C:\\keys\\own.key"`, `line 2, column 20: \\ has a meaning of its own in "…"; write private_key_file = '…', in single quotes.`],
  [``, `the section [interface] is missing; write it, with private_key_file and addresses below it.`],
  [`${HEAD}[[peer]]\n`, `line 3: [[peer]] 1 needs public_key; write the WireGuard public key that the peer's keygen printed.`],
  [`[interface]\nmtu = 1400`, `line 1: [interface] needs private_key_file; write private_key_file = "own.key", and make it with \`p2pvpn-engine keygen --out own.key\`.`],
  [`${HEAD}[wireguard-x]\n`, `line 3: this section is written [interface].`, `line 3: [interface] stands here again, first in line 1; put all its keys there.`],
  [`${HEAD}[foo]\na=1`, `line 3: unknown section [foo]; there are [interface], [[peer]], [network] and [engine].`],
  [`${HEAD}interface = 3`, `line 3: unknown key interface in [interface]; write name.`],
  [`peer = "x"\n${HEAD}`, `line 1: peer must be a section, written [[peer]] on a line of its own.`],
  [`${HEAD}mtu = 1\nmtuu = 2\nname = p2p0\n[[peer]]\nkeepalive = 25\n[[peer]]\npublic_key = "x"\nallowed_ips = ["10.0.0.0/33", "10.0.0.0/8", "x"]\n`, `line 3: mtu in [interface] must be a whole number from 576 to 65455, not 1.`, `line 4: unknown key mtuu in [interface]; did you mean mtu?`, `line 5, column 8: text is written in quotes; write name = "p2p0".`, `line 6: [[peer]] 1 needs public_key; write the WireGuard public key that the peer's keygen printed.`, `line 7: unknown key keepalive in [[peer]] 1; write persistent_keepalive.`, `line 9: public_key in [[peer]] 2 must be the peer's WireGuard public key, 44 characters of base64 as keygen prints it.`, `line 10: "10.0.0.0/33" in allowed_ips of [[peer]] 2 must be like "10.66.0.1/24" or "fd66::1/64".`, `line 10: "x" in allowed_ips of [[peer]] 2 must be like "10.66.0.1/24" or "fd66::1/64".`],
  [`${HEAD}${PEER}allowed_ips = ["10.0.0.0/8"]\n${OTHER}allowed_ips = [\n"10.1.0.0/16",\n"10.0.0.0/8"]`, `line 10: [[peer]] 1 and [[peer]] 2 both have 10.0.0.0/8 in allowed_ips; take it from one of them.`],
  [`${HEAD}${PEER}${PEER}`, `line 6: [[peer]] 1 and [[peer]] 2 have the same public_key; keep one of them.`],
  [`${HEAD}[[peer]]\npublic_key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="\n`, `line 4: public_key in [[peer]] 1 is nobody's; copy it again from the peer's keygen.`],
];

// biome-ignore format: a table
const WG_QUICK: readonly Row[] = [
  [`${QUICK}Jc = 4\nJmin = 40\nJmax = 70\nS1 = 0\nS2 = 0\nH1 = 1\n`, `line 3: Jc, Jmin, Jmax, S1, H1, I1 and the like are keys of AmneziaWG, whose messages no other WireGuard understands; remove them here and at the peer, or run AmneziaWG.`],
  [`${QUICK}I1 = <b 0xabc>`, `line 3: Jc, Jmin, Jmax, S1, H1, I1 and the like are keys of AmneziaWG, whose messages no other WireGuard understands; remove them here and at the peer, or run AmneziaWG.`],
  [`[Interface]\nPostUp = wg set %i private-key /etc/wireguard/%i.key\nAddress=10.0.0.1/24`, `line 2: PostUp is never run, so no key is read from /etc/wireguard/wg0.key; write PrivateKey = KEY, or a TOML file with private_key_file = "/etc/wireguard/wg0.key".`],
  [`[Interface]\nPostUp = wg set %i private-key <(pass WireGuard/private-keys/%i)`, `line 2: PostUp is never run, so no key is set by it; write PrivateKey = KEY, or a TOML file with private_key_file = "FILE".`],
  [`${QUICK}Table = 1234`, `line 3: Table must be auto or off, not "1234"; write Table = off and set the routes yourself, or run \`wg-quick up\` with WG_QUICK_USERSPACE_IMPLEMENTATION=p2pvpn-wireguard.`],
  [`${QUICK}Keepalive = 25`, `line 3: unknown key Keepalive in [Interface]; remove it, the keys there are PrivateKey, ListenPort, FwMark, Address, MTU, Table, DNS, SaveConfig, PreUp, PostUp, PreDown, PostDown, IncludedApplications and ExcludedApplications.`],
  [`${QUICK}${QUICK_PEER}Keepalive = 25`, `line 5: unknown key Keepalive in [Peer]; write PersistentKeepalive.`],
  [`${QUICK}${QUICK_PEER}Name = office`, `line 5: unknown key Name in [Peer]; write it as a comment, with # in front.`],
  [`${QUICK}${QUICK_PEER}Endpoint = "1.2.3.4:5"`, `line 5: Endpoint in [Peer] must be like "host:51820", "203.0.113.7:51820" or "[2001:db8::7]:51820", not "1.2.3.4:5"; write Endpoint = 1.2.3.4:5.`],
  [`${QUICK}${QUICK_PEER}Endpoint = 1.2.3.4`, `line 5: Endpoint in [Peer] must be like "host:51820", "203.0.113.7:51820" or "[2001:db8::7]:51820", not "1.2.3.4"; write Endpoint = 1.2.3.4:51820.`],
  [`${QUICK}${QUICK_PEER}PresharedKey = "${OTHER_KEY}"`, `line 5: PresharedKey must be a WireGuard key, 44 characters of base64; write it without quotes.`],
  [`${QUICK}Port = 51820`, `line 3: unknown key Port in [Interface]; write ListenPort.`],
  [`${QUICK}listen_port = 51820`, `line 3: unknown key listen_port in [Interface]; write ListenPort.`],
  [`${QUICK}private_key_file = "x"`, `line 3: unknown key private_key_file in [Interface]; write PrivateKey with the key itself, or make a TOML file, which has private_key_file.`],
  [`${QUICK}cipher = "auto"`, `line 3: unknown key cipher in [Interface]; only a TOML file has it: leave it out, or write one.`],
  [`${QUICK}[[Peer]]\nPublicKey = ${KEY}`, `line 3: this section is written [Peer].`],
  [`${QUICK}[Peers]\nPublicKey = ${KEY}`, `line 3: this section is written [Peer].`],
  [`${QUICK}[Peer\nPublicKey = ${KEY}`, `line 3: this section is written [Peer], alone on its line.`],
  [`${QUICK}// x`, `line 3: a comment begins with #; write # in front of this line.`],
  [`${QUICK}ListenPort: 51820`, `line 3: = is missing; write ListenPort = 51820.`],
  [`${QUICK}ListenPort 51820`, `line 3: = is missing; write ListenPort = 51820.`],
  [`${HEAD}${PEER}`, `this is a TOML file; rename it so that it ends in .toml, like p2pvpn.toml.`],
  [`${HEAD}addresses = ["10.0.0.1/24"]`, `this is a TOML file; rename it so that it ends in .toml, like p2pvpn.toml.`],
  [`${QUICK}MTU = 100\nFoo = 3\nAddress = 10.0.0.0/24, 10.0.0.300\n[Peer]\n[Peer]\nPublicKey = p2p:x`, `line 3: MTU in [Interface] must be a whole number from 576 to 65455, not "100".`, `line 4: unknown key Foo in [Interface]; remove it, the keys there are PrivateKey, ListenPort, FwMark, Address, MTU, Table, DNS, SaveConfig, PreUp, PostUp, PreDown, PostDown, IncludedApplications and ExcludedApplications.`, `line 5: Address in [Interface] must be like "10.66.0.1/24" or "fd66::1/64", not "10.0.0.300".`, `line 5: 10.0.0.0/24 in Address is the network's own address; use a host's, like 10.0.0.1/24.`, `line 6: [Peer] 1 needs PublicKey; write the key that the peer's \`wg pubkey\` or keygen printed.`, `line 8: PublicKey in [Peer] is a node id; write the peer's WireGuard public key, which keygen prints below it.`],
  [`PrivateKey = ${SECRET}`, `the section [Interface] is missing; write it, with PrivateKey and Address below it.`, `line 1: PrivateKey stands before [Interface]; write it below that.`],
  [`${QUICK}[Pear]\nPublicKey = x`, `line 3: this section is written [Peer].`, `line 4: PublicKey in [Peer] must be the peer's WireGuard public key, 44 characters of base64 as keygen prints it.`],
  [`${QUICK}[WgServer]\nPublicKey = x`, `line 3: unknown section [WgServer]; there are [Interface] and [Peer].`],
  [``, `the section [Interface] is missing; write it, with PrivateKey and Address below it.`],
  [`[Interface]\nPrivateKey = /etc/wireguard/x.key`, `line 2: PrivateKey must be a WireGuard key, 44 characters of base64; write the key itself, no file that holds it.`],
  [`[Interface]\nPrivateKey = "${SECRET}"`, `line 2: PrivateKey must be a WireGuard key, 44 characters of base64; write it without quotes.`],
  [`[Interface]\nprivatekey = ${SECRET}\nMTU = 1400\nMTU = 1300`, `line 4: MTU stands twice in [Interface], first in line 3; keep one.`],
  [`${QUICK}${QUICK_PEER}AllowedIPs = 10.0.0.0/255.0.0.0`, `line 5: AllowedIPs in [Peer] must be like "10.66.0.1/24" or "fd66::1/64", not "10.0.0.0/255.0.0.0"; write AllowedIPs = 10.0.0.0/8.`],
  [`${QUICK}${QUICK_PEER}PersistentKeepalive = 25s`, `line 5: PersistentKeepalive in [Peer] must be a whole number from 0 to 65535, not "25s"; write PersistentKeepalive = 25.`],
];

interface Said {
  readonly mistakes: readonly string[];
  readonly warnings: readonly string[];
}

/** What is said of a file, without its name. */
const saidOf = (name: string, bytes: string | Uint8Array): Said => {
  const file = join(folder, name);
  writeFileSync(file, bytes, { mode: 0o600 });
  const plain = (text: string): string =>
    text.replaceAll(`${file}: `, "").replaceAll(`${folder}/`, "");
  const warnings: string[] = [];
  try {
    loadConfig(file, {}, (sentence) => warnings.push(plain(sentence)));
    return { mistakes: [], warnings };
  } catch (error) {
    assert.ok(error instanceof EngineError, String(error));
    assert.equal(error.exit, 2);
    for (const line of error.message.split("\n")) assert.ok(line.startsWith(file), line);
    return { mistakes: plain(error.message).split("\n"), warnings };
  }
};

/** Words that tell a person what to do. */
const VERBS = "write|written|remove|rename|keep|save|put|make|copy|take|change|use|must|run|set";
const REMEDY = new RegExp(`\\b(${VERBS})\\b|did you mean|belongs into|there are \\[`);

for (const [name, rows] of [
  ["p2p0.toml", TOML],
  ["wg0.conf", WG_QUICK],
] as const) {
  for (const [text, ...said] of rows) {
    test(`${name}: ${JSON.stringify(text.replace(/^\[[Ii]nterface\]\n\S+ = \S+\n/, ""))}`, () => {
      const { mistakes } = saidOf(name, text);
      assert.deepEqual(mistakes, said);
      for (const sentence of mistakes) {
        assert.match(sentence, REMEDY);
        assert.match(sentence, /[.?]$/);
        assert.ok(!sentence.includes(SECRET.slice(0, 22)), "a secret was repeated");
      }
    });
  }
}

test("tabs, CR LF and a mark of UTF-8 in front are no mistakes", () => {
  for (const text of [
    HEAD.replaceAll(" = ", "\t=\t"),
    HEAD.replaceAll("\n", "\r\n"),
    `\ufeff${HEAD}`,
  ]) {
    assert.deepEqual(saidOf("p2p0.toml", text), { mistakes: [], warnings: [] });
  }
});

test("another encoding is named", () => {
  const utf16 = ["this is UTF-16; save it as UTF-8."];
  assert.deepEqual(saidOf("p2p0.toml", Buffer.from(`\ufeff${HEAD}`, "utf16le")).mistakes, utf16);
  assert.deepEqual(saidOf("p2p0.toml", Buffer.from(HEAD, "utf16le")).mistakes, utf16);
  assert.deepEqual(saidOf("wg0.conf", Buffer.from(QUICK, "utf16le")).mistakes, utf16);
  assert.deepEqual(saidOf("p2p0.toml", Buffer.from(`${HEAD}# \u00e4`, "latin1")).mistakes, [
    "line 3: this is no UTF-8 text; save it as UTF-8.",
  ]);
});

test("twenty mistakes are said, and the rest is counted", () => {
  const { mistakes } = saidOf("p2p0.toml", `${HEAD}[engine]\n${"gso\n".repeat(30)}`);
  assert.equal(mistakes.length, 21);
  assert.equal(
    mistakes[19],
    "line 23, column 4: = is missing between key and value; write it like gso = true.",
  );
  assert.equal(mistakes[20], "10 other mistakes follow; put these right first.");
});

test("a large file full of mistakes is refused as soon as a thousand are found", () => {
  // A statement costs a tenth of a millisecond: all of them would be many seconds.
  const start = performance.now();
  for (const line of ["gso = [\n", '[peer]\nx = "\n', `${"[".repeat(1_000)}\n`, "a = {\n"]) {
    const text = line.repeat(Math.ceil(1_000_000 / line.length));
    const { mistakes } = saidOf("p2p0.toml", HEAD + text);
    assert.ok(mistakes.length === 21 || mistakes.length < 4, mistakes.join("\n"));
  }
  assert.ok(performance.now() - start < 8_000, `${performance.now() - start} ms`);
});

test("neither kind of file is sent to the other's name and back", () => {
  const files = [
    "[Interface]\nprivate_key_file = x\n",
    `[Interface]\nPrivateKey = ${SECRET}\nprivate_key_file = "own.key"\n`,
    `${HEAD}[Peer]\nPublicKey = ${KEY}\n`,
    `${QUICK}[[peer]]\npublic_key = "${KEY}"\n`,
    "[Interface]\n",
    HEAD,
    QUICK,
  ];
  for (const text of files) {
    const renamed = ["p2p0.toml", "wg0.conf"].map((name) =>
      saidOf(name, text).mistakes.some((one) => /rename it so/.test(one)),
    );
    assert.notDeepEqual(renamed, [true, true], text);
  }
});

test("host bits, an own address at a peer and a file for everybody to write are warned of", () => {
  const addresses = 'addresses = ["10.66.0.1/24", "fd66::1/64"]\n';
  const list = '[\n  "10.66.0.5/24", # home\n\n  "10.9.0.0/16", "10.66.0.1",\n  "fd66::1/128"\n]';
  // biome-ignore format: a table
  const told = [
    "line 6: 10.66.0.5/24 in allowed_ips is taken as 10.66.0.0/24; write that, or 10.66.0.5/32 for the one host.",
    "line 8: 10.66.0.1/32 in allowed_ips of [[peer]] 1 is this host's own address; write the peer's.",
    "line 9: fd66::1/128 in allowed_ips of [[peer]] 1 is this host's own address; write the peer's.",
  ];
  const toml = `${HEAD}${addresses}${PEER}allowed_ips = ${list}\n`;
  assert.deepEqual(saidOf("p2p0.toml", toml), {
    mistakes: [],
    warnings: told.map((one) => one.replace(/^line (\d)/, (_, n) => `line ${Number(n) + 1}`)),
  });
  const lists = "AllowedIPs = 10.66.0.5/24\nAllowedIPs = 10.66.0.1/32\n";
  const quick = `${QUICK}Address = 10.66.0.1/24\n${QUICK_PEER}${lists}`;
  // biome-ignore format: a table
  const quickTold = [
    "line 6: 10.66.0.5/24 in AllowedIPs is taken as 10.66.0.0/24; write that, or 10.66.0.5/32 for the one host.",
    "line 7: 10.66.0.1/32 in AllowedIPs of [Peer] 1 is this host's own address; write the peer's.",
  ];
  assert.deepEqual(saidOf("wg0.conf", quick).warnings, quickTold);
  const file = join(folder, "p2p0.toml");
  writeFileSync(file, HEAD);
  chmodSync(file, 0o646);
  const warnings: string[] = [];
  loadConfig(file, {}, (sentence) => warnings.push(sentence));
  assert.deepEqual(warnings, [`${file} can be changed by everybody; run \`chmod o-w ${file}\`.`]);
});

test("a key log of sessions that cannot be read is warned of", () => {
  const told = (cipher: string): string[] => {
    const file = join(folder, "logged.toml");
    writeFileSync(file, `${HEAD}cipher = "${cipher}"\n`);
    const warnings: string[] = [];
    loadConfig(file, { key_log: "p2p0.keys" }, (sentence) => warnings.push(sentence));
    return warnings.map((sentence) => sentence.replace(`${file}: `, ""));
  };
  assert.deepEqual(told("auto"), []);
  assert.deepEqual(told("chacha20poly1305"), []);
  assert.deepEqual(told("aes256gcm"), [
    'with --key-log, cipher = "aes256gcm" cannot be read; leave cipher out to read the traffic.',
  ]);
});

test("the program prints a line for each mistake, and ends with 2", () => {
  writeFileSync(join(folder, "many.toml"), `${HEAD}name = p2p0\nmtuu = 1\n`);
  const cli = fileURLToPath(new URL(`../../src/cli${extname(import.meta.url)}`, import.meta.url));
  const words = [cli, "start", "-c", "many.toml"];
  const { status, stderr } = spawnSync(process.execPath, words, { cwd: folder, encoding: "utf8" });
  assert.equal(status, 2);
  assert.equal(
    stderr,
    "p2pvpn-engine: many.toml: line 3, column 8: text is written in quotes; " +
      'write name = "p2p0".\n' +
      "p2pvpn-engine: many.toml: line 4: unknown key mtuu in [interface]; did you mean mtu?\n",
  );
});
