import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import ts from "typescript";

import type { CodecafeApi, RunEvent } from "../../src/electron.js";
import { electron } from "../electron-objects.js";
import { home } from "./program.js";

const compiled = new URL("../bridge/", import.meta.url);

/** Compiles a file of the example to where it finds the client, and `electron`: the objects of the test. */
async function load(name: string): Promise<void> {
  const source = await readFile(new URL(`../../../../../examples/desktop-bridge/${name}.ts`, import.meta.url), "utf8");
  const options = { module: ts.ModuleKind.ES2022, target: ts.ScriptTarget.ES2022 };
  await writeFile(new URL(`${name}.mjs`, compiled), ts.transpileModule(source, { compilerOptions: options }).outputText);
  await import(new URL(`${name}.mjs`, compiled).href);
}

test("the files of desktop-bridge give a page window.codecafe over the real program", { timeout: 60_000 }, async (t) => {
  const folder = await home(t);
  const objects = electron();
  const app = Object.assign(new EventEmitter(), { getPath: () => folder, getName: () => "app", getVersion: () => "1.0" });
  Object.assign(globalThis, { electronOfTest: { ...objects, app } });
  const fake = new URL("node_modules/electron/", compiled);
  await mkdir(fake, { recursive: true });
  await writeFile(new URL("package.json", fake), '{ "name": "electron", "type": "module", "main": "index.js" }');
  await writeFile(new URL("index.js", fake), "export const { app, ipcMain, ipcRenderer, contextBridge } = globalThis.electronOfTest;");
  await load("main");
  t.after(() => app.emit("will-quit"));
  await load("preload");

  const api = objects.world["codecafe"] as CodecafeApi;
  const workflow = { id: "w", name: "Demo", stages: ["plan"], stageConfigs: { plan: { provider: "demo", prompt: "Plan it" } } };
  assert.deepEqual(await api.workflow.create(workflow), { success: true, data: workflow });
  const events: RunEvent[] = [];
  const ended = new Promise<void>((resolve) => {
    api.run.onEvent((event) => {
      events.push(event);
      if (event.type === "run_end") resolve();
    });
  });
  const runId = (await api.workflow.run("w")).data?.runId ?? "";
  await ended;
  assert.deepEqual(events.map(({ type }) => type), ["stateChange", "run_start", "stage_start", "stage_end", "run_end"]);
  assert.equal((await api.run.getDetail(runId)).data?.stageResults["plan"]?.status, "completed");
  const logs = (await api.run.getLogs(runId)).data ?? [];
  assert.ok(logs.some(({ type, stage }) => type === "stage_started" && stage === "plan"));
  assert.ok(logs.some(({ message, stage }) => message.includes("Plan it") && stage === "plan"), JSON.stringify(logs));

  const file = join(folder, ".orch/workflows/w.workflow.yml");
  const text = (await readFile(file, "utf8")).replace("plan:\n", "# what to do first\nplan:\n");
  await writeFile(file, text);
  const changed = { ...workflow, stages: ["plan", "code"], stageConfigs: { plan: { ...workflow.stageConfigs.plan, prompt: "Plan\nmore" }, code: { provider: "demo", prompt: "Do it" } } };
  assert.deepEqual(await api.workflow.update(changed), { success: true, data: changed });
  const written = await readFile(file, "utf8");
  assert.ok(written.startsWith(text.slice(0, text.indexOf("stages:"))) && written.includes("# what to do first\nplan:\n"), written);

  assert.equal((await api.config.assignments.set({ code: { provider: "demo", role: "coder", profile: "simple" } })).success, true);
  assert.deepEqual((await api.config.assignments.get()).data, { code: { provider: "demo", role: "coder", profile: "simple" } });
  assert.equal((await api.config.profiles.set("plan", { id: "deep", graph: [{ id: "a", type: "run", prompt: "Hi" }] })).success, true);
  assert.deepEqual((await api.config.profiles.list("plan")).data, [{ id: "deep", stage: "plan", graph: [{ id: "a", type: "run", prompt: "Hi" }] }]);
  const skill = { id: "lists", name: "Lists", description: "Of things", category: "utility", skillCommand: "/lists", context: "fork", instructions: "Write lists." };
  assert.equal((await api.skill.create(skill)).success, true);
  assert.deepEqual((await api.skill.list()).data?.map(({ id, instructions }) => [id, instructions]), [["lists", "Write lists."]]);
  assert.deepEqual((await api.role.list()).success, true);
  assert.ok((await api.provider.getAvailable()).data?.some(({ id }) => id === "demo"));
});
