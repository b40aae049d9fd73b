import assert from "node:assert/strict";
import { test } from "node:test";

import { Client, ServiceFailure, type Message, type Subscribe } from "../src/index.js";
import { end, event, FakeTransport, output, type Connection } from "./fake.js";

const lost = () => new ServiceFailure("unavailable", "the connection was cut off");

function client(connections: Connection[]): { client: Client; transport: FakeTransport } {
  const transport = new FakeTransport({}, connections);
  return { client: new Client(transport, { pause: { first: 1, longest: 1 } }), transport };
}

async function received(client: Client, request: Subscribe): Promise<Message[]> {
  const messages = [];
  for await (const message of client.subscribe(request)) messages.push(message);
  return messages;
}

test("the first call compares versions, once", async () => {
  const transport = new FakeTransport({ "workflow:list": () => ({ workflows: [] }) });
  const client = new Client(transport, { name: "test 1.2" });
  await client.call("workflow:list");
  await client.call("workflow:list", { search: "x" });
  assert.deepEqual(transport.calls, [
    ["service:hello", { protocol: 1, client: "test 1.2" }],
    ["workflow:list", {}],
    ["workflow:list", { search: "x" }],
  ]);
});

test("a service of another version is an error that says what to update", async () => {
  const transport = new FakeTransport();
  transport.protocol = 2;
  await assert.rejects(new Client(transport).call("workflow:list"), (failure: ServiceFailure) => {
    assert.equal(failure.code, "version_mismatch");
    assert.match(failure.message, /speaks version 1 .* version 2: update the client/);
    return true;
  });
  assert.equal(transport.calls.length, 1, "nothing else is called");
});

test("a stream that is lost continues from the numbers that were received", async () => {
  const { client: follower, transport } = client([
    { batches: [[event(1), output(1)], [event(2)]], failure: lost() },
    // A server that sends more than it was asked for.
    { batches: [[event(2), output(1), event(3)], [output(2)]], failure: lost() },
    { batches: [[event(4), end(4)]] },
  ]);
  const messages = await received(follower, { runs: [{ runId: "r1", after: 0, afterOutput: 0 }] });
  assert.deepEqual(messages, [event(1), output(1), event(2), event(3), output(2), event(4), end(4)]);
  assert.deepEqual(
    transport.subscriptions.map(({ runs }) => runs),
    [
      [{ runId: "r1", after: 0, afterOutput: 0 }],
      [{ runId: "r1", after: 2, afterOutput: 1 }],
      [{ runId: "r1", after: 3, afterOutput: 2 }],
    ],
  );
});

test("a run that has ended is not followed again after a lost connection", async () => {
  const { client: follower, transport } = client([
    { batches: [[event(1), end(1), event(1, undefined, "r2")]], failure: lost() },
    { batches: [[event(2, undefined, "r2"), end(2, "r2")]] },
  ]);
  const messages = await received(follower, { runs: [{ runId: "r1" }, { runId: "r2" }] });
  assert.equal(messages.length, 5);
  assert.deepEqual(transport.subscriptions[1]?.runs, [{ runId: "r2", after: 1 }]);
});

test("a connection that is lost behind the end of the last run is not opened again", async () => {
  const { client: follower, transport } = client([{ batches: [[event(1), end(1)]], failure: lost() }]);
  assert.equal((await received(follower, { runs: [{ runId: "r1" }] })).length, 2);
  assert.equal(transport.subscriptions.length, 1);
});

test("a subscription that the service refuses fails, and is not tried again", async () => {
  const { client: follower, transport } = client([
    { batches: [], failure: new ServiceFailure("not_found", "there is no run r1") },
  ]);
  await assert.rejects(received(follower, { runs: [{ runId: "r1" }] }), { code: "not_found" });
  assert.equal(transport.subscriptions.length, 1);
});

test("a new version behind a lost connection is an error", async () => {
  const { client: follower, transport } = client([{ batches: [[event(1)]], failure: lost() }]);
  await assert.rejects(async () => {
    for await (const _ of follower.subscribe({ runs: [{ runId: "r1" }] })) transport.protocol = 2;
  }, { code: "version_mismatch" });
});

test("a signal ends a subscription, also while it waits to connect again", async () => {
  for (const connection of [{ batches: [[event(1)]], open: true }, { batches: [[event(1)]], failure: lost() }]) {
    const transport = new FakeTransport({}, [connection]);
    const follower = new Client(transport, { pause: { first: 1e9, longest: 1e9 } });
    const stop = new AbortController();
    await assert.rejects(async () => {
      for await (const _ of follower.subscribe({ runs: [{ runId: "r1" }] }, { signal: stop.signal })) {
        setImmediate(() => stop.abort(new Error("enough")));
      }
    }, /enough/);
  }
});
