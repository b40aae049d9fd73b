import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import { bindIpc, exposeIn, type CodecafeApi } from "../src/electron.js";
import { Client, ServiceFailure, type PartText } from "../src/index.js";
import { electron } from "./electron-objects.js";
import { FakeTransport } from "./fake.js";

const part = (text: string, model?: unknown): PartText => ({ origin: ".orch/file", text, version: "v1", model, problems: [] });
const absent = (): never => {
  throw new ServiceFailure("not_found", "there is no such part");
};

function page(t: TestContext, transport: FakeTransport): CodecafeApi {
  const { ipcMain, ipcRenderer, contextBridge, world } = electron();
  t.after(bindIpc(ipcMain, new Client(transport)));
  exposeIn(contextBridge, ipcRenderer);
  return world["codecafe"] as CodecafeApi;
}

const sent = (transport: FakeTransport, operation: string) =>
  transport.calls.filter(([name]) => name === operation).map(([, request]) => request);

test("a run's log has its events and its output in one order", async (t) => {
  const at = "2026-01-02T03:04:05Z";
  const entry = { at, path: "1/plan[0]/draft[2]", attempt: 1, kind: "stdout" as const };
  const transport = new FakeTransport({
    "workflow:runs:logs": () => ({
      entries: [
        { ...entry, number: 1, afterEvent: 2, text: "first" },
        { ...entry, number: 2, afterEvent: 3, text: "last", kind: "stderr" as const },
      ],
    }),
    "workflow:runs:events": ({ after = 0 }) =>
      after === 0
        ? {
            events: [
              { seq: 1, at, v: 1, type: "run_started" },
              { seq: 2, at, v: 1, type: "stage_started", data: { stage: "plan", iteration: 1 } },
            ] as never,
            next: 2,
          }
        : {
            events: [
              { seq: 3, at, v: 1, type: "node_failed", data: { path: "1/plan[0]/draft", error: { class: "permanent", message: "no" } } },
            ] as never,
          },
  });
  const api = page(t, transport);
  const node = { timestamp: at, stage: "plan", nodeId: "draft" };
  assert.deepEqual(await api.run.getLogs("r1"), {
    success: true,
    data: [
      { type: "run_started", message: "run started", timestamp: at },
      { type: "stage_started", message: "stage started plan", timestamp: at, stage: "plan" },
      { ...node, type: "stdout", message: "first" },
      { ...node, type: "node_failed", message: "node failed 1/plan[0]/draft: no" },
      { ...node, type: "stderr", message: "last" },
    ],
  });
  assert.equal((await page(t, new FakeTransport({ "workflow:runs:logs": absent })).run.getLogs("r2")).error?.code, "not_found");
});

test("assignments are read and replaced, and the file's other keys stay", async (t) => {
  const plan = { provider: "codex", role: "planner", profile: "simple" };
  const transport = new FakeTransport({
    "workflow:assignments": () => part("", { note: "ours", assignments: { plan } }),
    "workflow:assignments:put": ({ text }) => part(text),
  });
  const api = page(t, transport);
  assert.deepEqual((await api.config.assignments.get()).data, { plan });
  assert.equal((await api.config.assignments.set({ plan })).success, true);
  assert.deepEqual(sent(transport, "workflow:assignments:put"), [], "the same is not written again");
  assert.equal((await api.config.assignments.set({ plan: { ...plan, provider: "gemini" }, code: { profile: "deep" } })).success, true);
  const lines = [
    'note: "ours"',
    "assignments:",
    "  plan:",
    '    provider: "gemini"',
    '    role: "planner"',
    '    profile: "simple"',
    "  code:",
    '    profile: "deep"',
    "",
  ];
  assert.deepEqual(sent(transport, "workflow:assignments:put"), [{ text: lines.join("\n"), version: "v1" }]);

  const empty = new FakeTransport({ "workflow:assignments": absent, "workflow:assignments:put": ({ text }) => part(text) });
  const without = page(t, empty);
  assert.deepEqual((await without.config.assignments.get()).data, {});
  await without.config.assignments.set({});
  assert.deepEqual(sent(empty, "workflow:assignments:put"), [{ text: "assignments: {}\n" }]);
});

test("profiles are listed by stage, and written with the version that they replace", async (t) => {
  const graph = [{ id: "a", type: "run", prompt: "Hi" }];
  const summary = (stage: string, id: string) => ({ stage, id, origin: "f", problems: [] });
  const transport = new FakeTransport({
    "workflow:profiles": () => ({ items: [summary("plan", "deep"), summary("code", "deep"), summary("plan", "gone")] }),
    "workflow:profiles:get": ({ id, stage }) => (id === "deep" ? part("", { graph, vars: { of: stage } }) : absent()),
    "workflow:profiles:put": ({ text }) => part(text),
  });
  const api = page(t, transport);
  assert.deepEqual((await api.config.profiles.list("plan")).data, [{ id: "deep", stage: "plan", graph, vars: { of: "plan" } }]);
  assert.equal((await api.config.profiles.list()).data?.length, 2);
  await api.config.profiles.set("plan", { id: "deep", graph });
  await api.config.profiles.set("plan", { id: "new", stage: "plan", graph: [...graph, { id: "b", type: "run" }] });
  assert.deepEqual(sent(transport, "workflow:profiles:put"), [
    { stage: "plan", id: "deep", text: 'graph:\n  - id: "a"\n    type: "run"\n    prompt: "Hi"\n', version: "v1" },
    { stage: "plan", id: "new", text: 'graph:\n  - id: "a"\n    type: "run"\n    prompt: "Hi"\n  - id: "b"\n    type: "run"\n' },
  ]);
});

test("roles have their front matter, and one role its template", async (t) => {
  const transport = new FakeTransport({
    "workflow:roles": () => ({ items: [{ id: "lead", origin: "f", problems: [] }] }),
    "workflow:roles:get": ({ id }) => (id === "lead" ? part("---\nname: Lead\nskills: [a]\n---\nLead.\n", { name: "Lead", skills: ["a"] }) : absent()),
  });
  const api = page(t, transport);
  const role = { id: "lead", name: "Lead", skills: ["a"], origin: ".orch/file" };
  assert.deepEqual((await api.role.list()).data, [role]);
  assert.deepEqual((await api.config.roles.list()).data, [role]);
  assert.deepEqual((await api.role.get("lead")).data, { ...role, body: "Lead.\n" });
  assert.deepEqual((await api.role.get("other")).data, null);
  assert.deepEqual(await api.role.reload(), { success: true, data: undefined });
});

test("skills are files of the app, and Markdown files stay Markdown", async (t) => {
  const files = new Map<string, PartText>();
  const markdown = "---\nname: Lists # short\nlicense: MIT\n---\nWrite lists.\n";
  files.set("lists", part(markdown, { name: "Lists", license: "MIT" }));
  const transport = new FakeTransport({
    "workflow:skills": () => ({ items: [...files.keys()].map((id) => ({ id, origin: "f", problems: [] })) }),
    "workflow:skills:get": ({ id }) => files.get(id) ?? absent(),
    "workflow:skills:put": ({ id, text, version }) => {
      assert.equal(version, files.get(id)?.version);
      files.set(id, part(text, text.startsWith("{") ? JSON.parse(text) : { name: "Lists" }));
      return files.get(id)!;
    },
    "workflow:skills:delete": ({ id }) => (files.delete(id) ? null : absent()),
  });
  const api = page(t, transport);
  const lists = {
    id: "lists",
    name: "Lists",
    license: "MIT",
    description: "",
    category: "utility",
    skillCommand: "/lists",
    context: "inherit",
    instructions: "Write lists.\n",
    isBuiltIn: false,
  };
  assert.deepEqual((await api.skill.list()).data, [lists]);
  assert.deepEqual((await api.skill.get("other")).data, null);

  await api.skill.update({ id: "lists", name: "Lists", instructions: "Write short lists.\n" });
  assert.equal(files.get("lists")?.text, "---\nname: Lists # short\nlicense: MIT\n---\nWrite short lists.\n");
  await api.skill.update({ id: "lists", description: "Short: lists" });
  assert.equal(files.get("lists")?.text, '---\nname: "Lists"\ndescription: "Short: lists"\n---\nWrite short lists.\n');

  const made = { ...lists, id: "made", category: "verification", skillCommand: "/made", context: "fork", instructions: "Test." };
  const created = (await api.skill.create(made)).data;
  assert.match(created?.createdAt ?? "", /^\d{4}-.*Z$/);
  assert.deepEqual({ ...created, createdAt: 0, updatedAt: 0 }, { ...made, createdAt: 0, updatedAt: 0 });
  const updated = (await api.skill.update({ id: "made", context: "inherit" })).data;
  assert.deepEqual([updated?.context, updated?.instructions, updated?.createdAt], ["inherit", "Test.", created?.createdAt]);
  const ids = [(await api.skill.duplicate("made")).data?.id, (await api.skill.duplicate("made")).data?.id];
  assert.deepEqual([...ids, (await api.skill.duplicate("made", "third")).data?.skillCommand], ["made-copy", "made-copy-2", "/third"]);
  assert.deepEqual(await api.skill.delete("third"), { success: true, data: undefined });
  assert.equal((await api.skill.delete("third")).error?.code, "not_found");
  assert.deepEqual([...files.keys()], ["lists", "made", "made-copy", "made-copy-2"]);
});

test("the providers that stages can name are listed", async (t) => {
  const transport = new FakeTransport({ "workflow:providers": () => ({ default: "codex", providers: [{ name: "codex", options: null }, { name: "demo", options: null }] }) });
  assert.deepEqual((await page(t, transport).provider.getAvailable()).data, [
    { id: "codex", name: "codex", isDefault: true },
    { id: "demo", name: "demo", isDefault: false },
  ]);
});
