import { expect, test } from "vitest";

import { editsOf, shownValue, stagesOf } from "./fields";

const MODEL = {
  workflow: { name: "Release", stages: ["plan", "code"] },
  plan: { provider: "demo", prompt: "Plan", retries: 2, approval: { question: "Go?" } },
};

test("the stages are those of the list, in its order", () => {
  expect(stagesOf(MODEL)).toEqual(["plan", "code"]);
  for (const model of [undefined, null, [], "text", {}, { workflow: {} }, { workflow: { stages: [{}] } }]) {
    expect(stagesOf(model)).toBeUndefined();
  }
});

test("a value that the form cannot hold is not shown as one", () => {
  expect(shownValue(MODEL.plan, "prompt")).toBe("Plan");
  expect(shownValue(MODEL.plan, "retries")).toBe("2");
  expect(shownValue(MODEL.plan, "timeout")).toBe("");
  expect(shownValue(MODEL.plan, "approval")).toBeUndefined();
  expect(shownValue(undefined, "prompt")).toBe("");
});

test("only fields that were changed become edits, each of its type", () => {
  const same = { prompt: "Plan", provider: "demo", retries: "2", timeout: "", on_failure: "" };
  expect(editsOf("plan", MODEL, same)).toEqual([]);
  expect(editsOf("plan", MODEL, { ...same, prompt: "Plan it", retries: "4", timeout: "5m" })).toEqual([
    { path: "plan.prompt", value: "Plan it" },
    { path: "plan.retries", value: 4 },
    { path: "plan.timeout", value: "5m" },
  ]);
  expect(editsOf("plan", MODEL, { ...same, prompt: " ", approval: "text" })).toEqual([
    { path: "plan.prompt", remove: true },
  ]);
  expect(editsOf("code", MODEL, { prompt: "Code" })).toEqual([{ path: "code.prompt", value: "Code" }]);
});
