import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";

export const token = "a-token-of-the-story-test";

/** The terminal program: `cargo xtask ci --only clients` builds it and sets the variable. */
export const program = process.env["WORKFLOW_PROGRAM"] ?? "";
assert.ok(program, "WORKFLOW_PROGRAM must name the terminal program: run `cargo xtask ci --only clients`");

/** A workflow of two calls of the provider that calls no service. The second call waits for a person. */
export const text = `workflow:
  name: Story
  stages: [plan, ship]
plan:
  provider: demo
  prompt: "Plan \${vars.feature}"
ship:
  provider: demo
  prompt: "Ship \${stages.plan.output}"
  approval: "Ship it?"
`;

/** An empty home. */
export async function home(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "workflow-client-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** `workflow serve` on a free port or on that of `address`, until the test ends. */
export async function serve(t: TestContext, home: string, address = "127.0.0.1:0"): Promise<{ url: string; server: ChildProcess }> {
  const file = join(home, "token");
  await writeFile(file, token, { mode: 0o600 });
  const args = ["--home", join(home, ".orch"), "serve", "--listen", address, "--token-file", file, "--allow", "admin"];
  const server = spawn(program, args, { cwd: home, stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => stop(server));
  const ended = once(server, "exit").then(([code]) => Promise.reject(new Error(`the program exited with ${code}`)));
  ended.catch(() => {});
  const [url] = (await Promise.race([once(createInterface(server.stdout), "line"), ended])) as [string];
  return { url, server };
}

export async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const exited = once(server, "exit");
  server.kill();
  await exited;
}
