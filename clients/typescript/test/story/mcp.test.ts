import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js";

import { home, program, text } from "./program.js";

/** The SDK's client over `workflow mcp` in a home with one workflow. */
async function connect(t: TestContext, ...options: string[]): Promise<Client> {
  const folder = await home(t);
  await mkdir(join(folder, ".orch/workflows"), { recursive: true });
  await writeFile(join(folder, ".orch/workflows/story.workflow.yml"), text);
  const client = new Client({ name: "story", version: "1.0.0" });
  const args = ["--home", join(folder, ".orch"), "mcp", ...options];
  await client.connect(new StdioClientTransport({ command: program, args, cwd: folder }));
  t.after(() => client.close());
  return client;
}

test("an agent runs a workflow through the official SDK's client", { timeout: 60_000 }, async (t) => {
  const client = await connect(t);
  assert.equal(client.getServerVersion()?.name, "workflow");
  assert.match(client.getInstructions() ?? "", /list_workflows/);
  const { tools } = await client.listTools();
  assert.deepEqual(
    tools.map(({ name, annotations }) => [name, annotations?.readOnlyHint]),
    [
      ["list_workflows", true],
      ["describe_workflow", true],
      ["run_workflow", false],
      ["run_status", true],
      ["run_logs", true],
      ["answer_run", false],
      ["cancel_run", false],
    ],
  );
  const told: (string | undefined)[] = [];
  const call = async (name: string, args: Record<string, unknown> = {}): Promise<any> => {
    const options = { onprogress: ({ message }: { message?: string | undefined }) => void told.push(message), resetTimeoutOnProgress: true };
    const result = (await client.callTool({ name, arguments: args }, undefined, options)) as CallToolResult;
    assert.ok(!result.isError, JSON.stringify(result));
    return result.structuredContent;
  };

  assert.equal((await call("list_workflows", { search: "stor" })).workflows[0].id, "story");
  assert.deepEqual((await call("describe_workflow", { id: "story" })).inputs.inputs[0].name, "feature");
  const { runId, run } = await call("run_workflow", { id: "story", vars: { feature: "search" }, waitSeconds: 30 });
  assert.deepEqual([run.status, run.waits[0].question], ["paused", "Ship it?"]);
  assert.ok(told.length > 0 && told.every((message) => message !== undefined), "the run was followed");
  const log = await call("run_logs", { runId });
  assert.ok(log.entries.some((entry: { text: string }) => entry.text.includes("Plan search")), JSON.stringify(log));

  await call("answer_run", { runId, wait: run.waits[0].number, value: true });
  assert.equal((await call("run_status", { runId, waitSeconds: 30 })).run.status, "completed");
  const { resources } = await client.listResources();
  assert.deepEqual(resources.map(({ uri }) => uri), [`workflow://runs/${runId}/report`]);
  const report = (await client.readResource({ uri: resources[0]!.uri })).contents[0];
  assert.equal(report?.mimeType, "text/markdown");
  assert.ok((report as { text: string }).text.includes("Ship it?"), "the report has the question and its answer");
  const { contents } = await client.readResource({ uri: `workflow://runs/${runId}` });
  assert.equal(JSON.parse((contents[0] as { text: string }).text).run.status, "completed");

  const second = await call("run_workflow", { id: "story", vars: { feature: "more" } });
  await call("cancel_run", { runId: second.runId });
  assert.equal((await call("run_status", { runId: second.runId, waitSeconds: 30 })).run.status, "cancelled");
  const missing = (await client.callTool({ name: "run_status", arguments: { runId: "none" } })) as CallToolResult;
  assert.deepEqual([missing.isError, (missing.structuredContent as { code: string }).code], [true, "not_found"]);
});

test("an agent that may only read is refused what changes something", { timeout: 60_000 }, async (t) => {
  const client = await connect(t, "--read-only");
  const refused = (await client.callTool({ name: "run_workflow", arguments: { id: "story" } })) as CallToolResult;
  assert.deepEqual([refused.isError, (refused.structuredContent as { code: string }).code], [true, "forbidden"]);
});
