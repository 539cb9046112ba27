/** node-names — names of index nodes and of `bootstrap`: asked for again and again, followed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { NodeNames } from "../../src/control/node-names.ts";
import { parseAddress } from "../../src/wire/cidr.ts";
import { formatSockaddr, makeSockaddr } from "../../src/wire/sockaddr.ts";

const PORT = 4_740;

/** One name, which a test has lead somewhere, or nowhere for a reason. */
const make = () => {
  const world = { leads: [] as string[], why: "", known: 0, said: [] as string[] };
  const names = new NodeNames({
    setting: "index",
    nodes: [{ endpoint: { host: "index.example", port: PORT }, nodeKey: null }],
    resolve: async () =>
      world.why === ""
        ? world.leads.map((address) => makeSockaddr(parseAddress(address)!, PORT))
        : world.why,
    say: (_, text, facts) => world.said.push(`${text}: ${facts?.why}`),
    onKnown: () => world.known++,
  });
  const ask = async (): Promise<void> => {
    names.ask();
    await new Promise(setImmediate);
  };
  const places = () => names.places[0]!.sockaddrs.map((one) => formatSockaddr(one));
  return { world, names, ask, places };
};

test("where a name leads is told when it is another place, and not each time", async () => {
  const { world, ask, places } = make();
  world.leads = ["192.0.2.1", "192.0.2.2"];
  await ask();
  await ask();
  assert.equal(world.known, 1);
  world.leads = ["192.0.2.3"];
  await ask();
  assert.equal(world.known, 2);
  assert.deepEqual(places(), ["192.0.2.3:4740"]);
});

test("one that does not resolve is said once; where it led before counts", async () => {
  const { world, names, ask, places } = make();
  world.leads = ["192.0.2.1"];
  await ask();
  world.why = "nobody knows it";
  for (let i = 0; i < 5; i++) await ask();
  assert.deepEqual(world.said, ["a name of index does not resolve: nobody knows it"]);
  assert.deepEqual(places(), ["192.0.2.1:4740"]);
  assert.equal(names.places[0]!.problem, "nobody knows it");
  world.why = "";
  await ask();
  assert.equal(names.places[0]!.problem, null);
  world.why = "it is gone again";
  await ask();
  assert.equal(world.said.length, 2);
});
