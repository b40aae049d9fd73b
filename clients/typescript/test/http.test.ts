import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";

import { Client, HttpTransport, ServiceFailure, type HttpOptions } from "../src/index.js";
import { end, event } from "./fake.js";

const token = "a-token-of-a-test";
const welcome = { success: true, data: { protocol: 1, version: "0.1.0", scopes: ["read"] } };

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

/** A server whose answer to everything but `service:hello` is the test's. */
async function serve(t: TestContext, handler: Handler, options: Partial<HttpOptions> = {}): Promise<Client> {
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const piece of request) body += String(piece);
    assert.equal(request.headers.authorization, `Bearer ${token}`);
    assert.ok(!request.url?.includes(token));
    if (request.url === "/api/v1/service:hello") response.end(JSON.stringify(welcome));
    else handler(request, response, body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const transport = new HttpTransport({ url, token, ...options });
  return new Client(transport, { pause: { first: 1, longest: 1 } });
}

const sent = (...messages: object[]) => `id: r1:1:0\nevent: messages\ndata: ${JSON.stringify(messages)}\n\n`;

/** The stream's subscription, as the request names it. */
function subscribed(request: IncomingMessage): unknown {
  return JSON.parse(new URL(request.url ?? "", "http://x").searchParams.get("subscribe") ?? "");
}

test("an operation is posted as JSON, and its data returned", async (t) => {
  const client = await serve(t, (request, response, body) => {
    assert.deepEqual([request.method, request.url, body], ["POST", "/api/v1/workflow:list", '{"search":"ä"}']);
    assert.equal(request.headers["content-type"], "application/json");
    response.end('{"success":true,"data":{"workflows":[]}}');
  });
  assert.deepEqual(await client.call("workflow:list", { search: "ä" }), { workflows: [] });
});

test("a failure has the code, the message and the details of the envelope", async (t) => {
  const client = await serve(t, (_, response) => {
    response.statusCode = 409;
    response.end('{"success":false,"error":{"code":"in_use","message":"2 runs use it","details":{"runs":["a","b"]}}}');
  });
  await assert.rejects(client.call("workflow:delete", { id: "w" }), (failure: ServiceFailure) => {
    assert.ok(failure instanceof ServiceFailure);
    assert.deepEqual([failure.code, failure.message, failure.details], ["in_use", "2 runs use it", { runs: ["a", "b"] }]);
    return true;
  });
});

test("an operation that the service refuses for a while is sent again, for as long as the client has patience", async (t) => {
  let refusals = 0;
  const refuse = (response: ServerResponse) => {
    refusals += 1;
    response.writeHead(429, { "retry-after": "0.01" });
    response.end('{"success":false,"error":{"code":"too_many_requests","message":"send it again"}}');
  };
  const client = await serve(t, (request, response) => {
    if (request.url?.endsWith("workflow:list") && refusals === 3) response.end('{"success":true,"data":{"workflows":[]}}');
    else refuse(response);
  }, { patience: 100 });
  assert.deepEqual(await client.call("workflow:list"), { workflows: [] });
  assert.equal(refusals, 3);
  await assert.rejects(client.call("workflow:delete", { id: "w" }), { code: "too_many_requests" });
  assert.equal(refusals, 3 + 11);
});

test("an answer of something else than the service, and no answer, are unavailable", async (t) => {
  const client = await serve(t, (_, response) => {
    response.statusCode = 502;
    response.end("<h1>Bad gateway</h1>");
  });
  await assert.rejects(client.call("workflow:list"), { code: "unavailable", message: /answered 502 without an envelope/ });
  const nowhere = new Client(new HttpTransport({ url: "http://127.0.0.1:1", token }));
  await assert.rejects(nowhere.call("workflow:list"), { code: "unavailable", message: /cannot reach .*127.0.0.1:1/ });
  await assert.rejects(nowhere.subscribe({ heads: true }).next(), { code: "unavailable" });
});

test("a signal closes the connection of a call", async (t) => {
  const stop = new AbortController();
  let closed: Promise<unknown> | undefined;
  const client = await serve(t, (_, response) => {
    closed = once(response, "close");
    stop.abort(new Error("enough"));
  });
  await assert.rejects(client.call("workflow:list", {}, { signal: stop.signal }), /enough/);
  await closed;
});

test("a stream that arrives in any pieces is read, and one that is cut off is opened again", async (t) => {
  const requests: unknown[] = [];
  const client = await serve(t, async (request, response) => {
    requests.push(subscribed(request));
    if (requests.length === 1) {
      // A character of two bytes and every line are torn.
      const text = `: hello\n\n${sent(event(1, { type: "é" }))}`;
      for (const byte of Buffer.from(text.replaceAll("\n", "\r\n"))) {
        response.write(Buffer.from([byte]));
        await new Promise(setImmediate);
      }
      response.destroy();
    } else {
      response.end(`${sent(event(2), end(2))}event: end\ndata: {}\n\n`);
    }
  });
  const messages = [];
  for await (const message of client.subscribe({ runs: [{ runId: "r1" }] })) messages.push(message);
  assert.deepEqual(messages, [event(1, { type: "é" }), event(2), end(2)]);
  assert.deepEqual(requests, [
    { runs: [{ runId: "r1" }], heads: false },
    { runs: [{ runId: "r1", after: 1 }], heads: false },
  ]);
});

test("a stream that is silent for too long is opened again", async (t) => {
  let opened = 0;
  const client = await serve(t, (_, response) => {
    opened += 1;
    if (opened === 1) response.write(sent(event(1)));
    else response.end(`${sent(end(1))}event: end\ndata: {}\n\n`);
  }, { silence: 50 });
  const messages = [];
  for await (const message of client.subscribe({ runs: [{ runId: "r1" }] })) messages.push(message);
  assert.deepEqual([messages, opened], [[event(1), end(1)], 2]);
});

test("leaving the loop closes the connection, and closing the client ends its streams", async (t) => {
  const closed: Promise<unknown>[] = [];
  const client = await serve(t, (_, response) => {
    closed.push(once(response, "close"));
    response.write(sent(event(1)));
  });
  for await (const _ of client.subscribe({ runs: [{ runId: "r1" }] })) break;
  await closed[0];
  await assert.rejects(async () => {
    for await (const _ of client.subscribe({ runs: [{ runId: "r1" }] })) void client.close();
  }, { code: "cancelled" });
  await closed[1];
});
