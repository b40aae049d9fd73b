import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { Client, HttpTransport, type Message } from "../../src/index.js";
import { StdioTransport } from "../../src/stdio.js";
import { home, program, serve, stop, text, token } from "./program.js";

/** Follows a run to its end, and answers what it asks. */
async function follow(client: Client, runId: string): Promise<Message[]> {
  const messages = [];
  for await (const message of client.subscribe({ runs: [{ runId, afterOutput: 0 }] })) {
    messages.push(message);
    if (message.type === "workflow-run:event" && message.event.type === "stage_asked") {
      const { waits } = (await client.call("workflow:runs:get", { runId })).run;
      assert.deepEqual([waits?.[0]?.question, waits?.[0]?.number], ["Ship it?", message.seq]);
      await client.call("workflow:runs:answer", { runId, wait: message.seq, value: true });
    }
  }
  return messages;
}

function types(messages: Message[]): string[] {
  return messages.flatMap((message) => (message.type === "workflow-run:event" ? [message.event.type] : []));
}

async function story(client: Client): Promise<void> {
  const { scopes } = await client.hello();
  assert.deepEqual(scopes, ["read", "run", "edit", "admin"]);

  const wrong = await client.call("workflow:validate", { id: "story", text: text.replace("provider: demo", "provider: demon") });
  assert.equal(wrong.valid, false);
  assert.deepEqual(wrong.diagnostics.map(({ line, path }) => [line, path]), [[5, "plan.provider"]]);
  assert.deepEqual(await client.call("workflow:validate", { id: "story", text }), { valid: true, diagnostics: [] });
  await client.call("workflow:create", { id: "story", text });
  await assert.rejects(client.call("workflow:create", { id: "story", text }), { code: "exists" });
  const { workflows } = await client.call("workflow:list", { search: "story" });
  assert.deepEqual(workflows.map(({ id, stages }) => [id, stages]), [["story", ["plan", "ship"]]]);

  const { runId } = await client.start({ id: "story", vars: { feature: "search" }, labels: { team: "web" } });
  const messages = await follow(client, runId);
  const events = messages.filter((message) => message.type === "workflow-run:event");
  assert.deepEqual(events.map(({ seq }) => seq), events.map((_, index) => index + 1), "nothing missed, nothing twice");
  assert.deepEqual([types(messages)[0], types(messages).at(-1)], ["run_created", "run_completed"]);
  assert.equal(messages.at(-1)?.type, "workflow-run:end");
  const output = messages.flatMap((message) => (message.type === "workflow-run:output" ? [message.entry.text] : []));
  assert.ok(output.includes("Plan search"), output.join("\n"));
  const { run } = await client.call("workflow:runs:get", { runId });
  assert.deepEqual([run.status, run.context.stages["ship"]?.status], ["completed", "completed"]);
  const listed = await client.call("workflow:runs:list", { workflow: "story", labels: { team: "web" } });
  assert.deepEqual(listed.runs.map((run) => run.runId), [runId]);

  const fork = await client.call("workflow:runs:fork", { runId, at: { stage: "ship" }, outputs: { plan: "another plan" } });
  assert.equal(types(await follow(client, fork.runId)).at(-1), "run_completed");
  const forked = (await client.call("workflow:runs:get", { runId: fork.runId })).run;
  assert.equal(forked.context.stages["plan"]?.output, "another plan");

  for (const id of [runId, fork.runId]) {
    await client.call("workflow:runs:delete", { runId: id });
    await assert.rejects(client.call("workflow:runs:get", { runId: id }), { code: "not_found" });
  }
  await client.call("workflow:delete", { id: "story" });
  assert.deepEqual(await client.call("workflow:list"), { workflows: [] });
  await client.close();
}

test("a whole story over standard input and output", { timeout: 60_000 }, async (t) => {
  const folder = await home(t);
  const args = ["--home", join(folder, ".orch"), "serve", "--stdio"];
  const client = new Client(new StdioTransport({ command: program, args, cwd: folder }));
  t.after(() => client.close());
  await story(client);
});

test("a whole story over HTTP", { timeout: 60_000 }, async (t) => {
  const { url } = await serve(t, await home(t));
  await story(new Client(new HttpTransport({ url, token })));
});

test("a client that follows a run survives the restart of the server, and misses nothing", { timeout: 60_000 }, async (t) => {
  const folder = await home(t);
  const { url, server } = await serve(t, folder);
  const client = new Client(new HttpTransport({ url, token }));
  await client.call("workflow:create", { id: "story", text });
  const { runId } = await client.start({ id: "story", vars: { feature: "search" } });
  const numbers: number[] = [];
  for await (const message of client.subscribe({ runs: [{ runId }] })) {
    if (message.type !== "workflow-run:event") continue;
    numbers.push(message.seq);
    if (message.event.type === "stage_asked") {
      await stop(server);
      await serve(t, folder, url.replace("http://", ""));
      await client.call("workflow:runs:answer", { runId, wait: message.seq, value: true });
    }
  }
  assert.deepEqual(numbers, numbers.map((_, index) => index + 1));
  assert.equal((await client.call("workflow:runs:get", { runId })).run.status, "completed");
});

test("a wrong token is refused, and does not appear in the message", { timeout: 60_000 }, async (t: TestContext) => {
  const { url } = await serve(t, await home(t));
  const wrong = "another-token-of-the-story";
  await assert.rejects(new Client(new HttpTransport({ url, token: wrong })).call("workflow:list"), (failure: Error) => {
    assert.equal("code" in failure && failure.code, "unauthenticated");
    assert.ok(!failure.message.includes(wrong));
    return true;
  });
});

test("the ten lines of the README list, start, follow and answer a run", { timeout: 60_000 }, async (t) => {
  const lines = new URL("../../examples/ten-lines.js", import.meta.url);
  const source = await readFile(new URL("../../../examples/ten-lines.ts", import.meta.url), "utf8");
  const readme = await readFile(new URL("../../../README.md", import.meta.url), "utf8");
  assert.ok(readme.includes(`\`\`\`ts\n${source}\`\`\`\n`), "README.md does not have examples/ten-lines.ts as it is");
  const { url } = await serve(t, await home(t));
  await new Client(new HttpTransport({ url, token })).call("workflow:create", { id: "story", text: text.replace("${vars.feature}", "it") });
  const shown = (await promisify(execFile)(process.execPath, [fileURLToPath(lines), url, token, "story"])).stdout.trim().split("\n");
  assert.equal(shown[0], "story plan, ship");
  assert.match(shown[1] ?? "", /^1 run_created$/);
  assert.ok(shown.some((line) => line.endsWith(" answered")));
  assert.equal(shown.at(-1), "completed");
});
