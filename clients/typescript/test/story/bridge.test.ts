import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
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
});
