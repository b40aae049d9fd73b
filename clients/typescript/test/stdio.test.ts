import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test, type TestContext } from "node:test";

import { Client } from "../src/index.js";
import { StdioTransport } from "../src/stdio.js";
import type { Message } from "../src/index.js";

/** A program that speaks the protocol; the name of the workflow in a request says what it does. */
const program = `
const say = (line) => process.stdout.write(JSON.stringify(line) + "\\n");
const event = (seq) => ({ type: "workflow-run:event", runId: "r1", seq, event: { seq, at: "", v: 1, type: "run_started" } });
let open = [];
require("node:readline").createInterface(process.stdin).on("line", (text) => {
  const { id, operation, request, cancel } = JSON.parse(text);
  if (cancel !== undefined) {
    say({ id: cancel, success: false, error: { code: "cancelled", message: "cancelled" } });
    say({ id: open.shift(), success: true, data: { cancelled: cancel } });
    return;
  }
  const data = (data) => say({ id, success: true, data });
  if (operation === "service:hello") return data({ protocol: 1, version: "0.1.0", scopes: [] });
  if (operation === "workflow:runs:unsubscribe") return data(null);
  if (operation === "workflow:runs:subscribe") {
    data({ subscription: id });
    const after = request.runs[0].after ?? 0;
    if (request.runs[0].runId === "many") {
      for (let n = 1; n <= 500; n++) say({ subscription: id, messages: [{ ...event(after + n), runId: "many" }] });
    } else {
      say({ subscription: id, messages: [event(after + 1)] });
      if (after < 2) return setTimeout(() => process.exit(3), 20);
      say({ subscription: id, messages: [{ type: "workflow-run:end", runId: "r1", seq: after + 1 }] });
    }
    return say({ subscription: id, ended: true });
  }
  switch (request.id) {
    case "wait": return open.push(id);
    case "exit": return process.exit(7);
    case "later": return void setTimeout(() => data("later"), 200);
    case "noises": {
      process.on("SIGTERM", () => setTimeout(() => process.stdout.write("another line\\n", () => process.exit()), 50));
      return process.stdout.write("a log line\\n");
    }
    case "noise": return process.stdout.write("a log line\\n");
    case "torn": {
      const bytes = Buffer.from(JSON.stringify({ id, success: true, data: "é" }) + "\\n");
      return void [...bytes].reduce((done, byte) => done.then(() => new Promise((next) => process.stdout.write(Buffer.from([byte]), next))), Promise.resolve());
    }
    case "missing": return say({ id, success: false, error: { code: "not_found", message: "there is no workflow" } });
    default: return data({ echo: request });
  }
});`;

function start(t: TestContext): Client {
  const transport = new StdioTransport({ command: process.execPath, args: ["-e", program] });
  const client = new Client(transport, { pause: { first: 1, longest: 1 } });
  t.after(() => client.close());
  return client;
}

test("answers in any order and any pieces find their requests", async (t) => {
  const client = start(t);
  const stop = new AbortController();
  const open = client.call("workflow:get", { id: "wait" });
  const cancelled = client.call("workflow:get", { id: "wait2" as "wait" }, { signal: stop.signal });
  assert.deepEqual(await cancelled, { echo: { id: "wait2" } });
  assert.equal(await client.call("workflow:get", { id: "torn" }), "é");
  await assert.rejects(client.call("workflow:get", { id: "missing" }), { code: "not_found", message: "there is no workflow" });
  const second = client.call("workflow:get", { id: "wait" }, { signal: stop.signal });
  await client.call("workflow:get", { id: "x" });
  stop.abort(new Error("enough"));
  await assert.rejects(second, /enough/);
  // The fake answers the first request with the id that was cancelled.
  assert.deepEqual(Object.keys((await open) as object), ["cancelled"]);
});

test("the end of the process fails its requests, and the next call starts it again", async (t) => {
  const client = start(t);
  await assert.rejects(client.call("workflow:get", { id: "exit" }), { code: "unavailable", message: /ended \(exit code 7\)/ });
  assert.deepEqual(await client.call("workflow:get", { id: "x" }), { echo: { id: "x" } });
});

test("a process that cannot be started, and one that writes something else, are errors", async (t) => {
  const nothing = new Client(new StdioTransport({ command: "no-such-program-of-a-test" }));
  await assert.rejects(nothing.call("workflow:list"), { code: "unavailable", message: /could not be started: .*ENOENT/ });
  await assert.rejects(start(t).call("workflow:get", { id: "noise" }), { code: "internal", message: /not JSON: a log line/ });
});

test("what a process writes after it was given up does not end the next one", async (t) => {
  const client = start(t);
  await assert.rejects(client.call("workflow:get", { id: "noises" }), { code: "internal" });
  assert.equal(await client.call("workflow:get", { id: "later" }), "later");
});

test("a subscription continues with its numbers when the process ends", async (t) => {
  const client = start(t);
  const messages: Message[] = [];
  for await (const message of client.subscribe({ runs: [{ runId: "r1" }] })) messages.push(message);
  assert.deepEqual(
    messages.map((message) => [message.type, "seq" in message ? message.seq : 0]),
    [
      ["workflow-run:event", 1],
      ["workflow-run:event", 2],
      ["workflow-run:event", 3],
      ["workflow-run:end", 3],
    ],
  );
});

test("a consumer that is slow misses nothing, and what waits for it is bounded", async (t) => {
  const client = start(t);
  let last = 0;
  for await (const message of client.subscribe({ runs: [{ runId: "many" }] })) {
    if (message.type !== "workflow-run:event") continue;
    assert.equal(message.seq, last + 1);
    last = message.seq;
    // Other calls are answered meanwhile.
    if (last === 1) await client.call("workflow:get", { id: "x" });
    if (last === 1_000) break;
  }
  assert.equal(last, 1_000);
});

test("a process that was given is used, and ends with the client", async () => {
  const child = spawn(process.execPath, ["-e", program], { stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const client = new Client(new StdioTransport({ child }));
  assert.deepEqual(await client.call("workflow:get", { id: "x" }), { echo: { id: "x" } });
  await client.close();
  assert.deepEqual(await exited, [0, null]);
  await assert.rejects(client.call("workflow:get", { id: "x" }), { code: "cancelled" });
});
