/** observed — whose word of where we are counts, and what one alone can make us tell. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Observed } from "../../src/control/network/observed.ts";
import { parseAddress } from "../../src/wire/cidr.ts";
import { formatSockaddr, makeSockaddr } from "../../src/wire/sockaddr.ts";

const PORT = 51_820;

/** Of a host with one address; `say`: an index node sees it there. */
const make = (own: string) => {
  const sockaddr = makeSockaddr(parseAddress(own)!, PORT);
  const observed = new Observed({
    own: () => [{ kind: "local", sockaddr }],
    cidrs: () => [],
    onChanged: () => {},
    wakeBy: () => {},
  });
  let nowMs = 1_000;
  const say = (by: string, address: string, port = PORT, afterMs = 60_000): boolean => {
    nowMs += afterMs;
    return observed.heard(by, parseAddress(address)!, port, nowMs);
  };
  const told = () => observed.addresses.map((one) => formatSockaddr(one.sockaddr));
  return { observed, say, told };
};

test("behind a NAT the word of one counts; of two that differ, neither", () => {
  const { say, told } = make("192.168.1.5");
  say("a", "198.51.100.1", 4_000);
  assert.deepEqual(told(), ["198.51.100.1:4000"]);
  say("b", "198.51.100.1", 4_001);
  assert.deepEqual(told(), []);
  say("c", "198.51.100.1", 4_001);
  assert.deepEqual(told(), ["198.51.100.1:4001"]);
});

test("who sees us at our own public address outvotes one that sees us elsewhere", () => {
  const { say, told } = make("203.0.113.5");
  say("honest", "203.0.113.5");
  say("liar", "198.51.100.66", 6_666);
  assert.deepEqual(told(), []);
  say("another", "198.51.100.66", 6_666);
  assert.deepEqual(told(), ["198.51.100.66:6666"]);
});

test("a liar that answers first is told of until another answers, and no longer", () => {
  const { say, told } = make("203.0.113.5");
  say("liar", "198.51.100.66", 6_666);
  assert.deepEqual(told(), ["198.51.100.66:6666"]);
  say("honest", "203.0.113.5", PORT, 10);
  assert.deepEqual(told(), []);
  // What is new waits: each change is told to all members.
  say("another", "198.51.100.66", 6_666, 10);
  assert.deepEqual(told(), []);
  say("another", "198.51.100.66", 6_666);
  assert.deepEqual(told(), ["198.51.100.66:6666"]);
});

test("an index node behind our own NAT says nothing of what is in front of it", () => {
  const { say, told } = make("10.1.2.3");
  say("inside", "10.1.2.3");
  assert.deepEqual(told(), []);
  say("outside", "198.51.100.1", 4_000);
  assert.deepEqual(told(), ["198.51.100.1:4000"]);
});

test("one that falls silent has no vote while another has", () => {
  const { observed, say, told } = make("203.0.113.5");
  say("honest", "203.0.113.5");
  say("other", "198.51.100.1", 4_000);
  assert.deepEqual(told(), []);
  observed.silent("honest");
  say("other", "198.51.100.1", 4_000);
  assert.deepEqual(told(), ["198.51.100.1:4000"]);
});
