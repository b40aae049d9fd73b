import { expect, test } from "vitest";

import { editOf, moved, removed, shownValue, stageFields, stagesOf, type FormField, type Known } from "./fields";

const MODEL = {
  workflow: { name: "Release", stages: ["plan", "code"] },
  plan: { provider: "demo", prompt: "Plan", retries: 2, approval: { question: "Go?" }, skills: ["a", "b"] },
  code: "deep",
};

const KNOWN: Known = {
  providers: [
    {
      name: "demo",
      options: {
        properties: {
          model: { type: "string", description: "The model. It is big." },
          effort: { type: ["string", "null"], enum: ["low", "high"] },
          fast: { type: "boolean", default: false },
          answers: { type: "array" },
        },
      },
    },
  ],
  provider: "demo",
  roles: [],
  profiles: ["code.deep", "other.x"],
  stages: [],
};

const field = (path: string, kind: FormField["kind"] = "text"): FormField => ({
  path,
  kind,
  label: "",
  about: "",
  absent: "",
});

test("the stages are those of the list, in its order", () => {
  expect(stagesOf(MODEL)).toEqual(["plan", "code"]);
  for (const model of [undefined, null, [], "text", {}, { workflow: {} }, { workflow: { stages: [{}] } }]) {
    expect(stagesOf(model)).toBeUndefined();
  }
});

test("a value that the form cannot hold is not shown as one", () => {
  const shown = (path: string, kind?: FormField["kind"]) => shownValue(MODEL, field(path, kind));
  expect(shown("plan.prompt")).toBe("Plan");
  expect(shown("plan.retries", "number")).toBe("2");
  expect(shown("plan.timeout")).toBe("");
  expect(shown("plan.with.model")).toBe("");
  expect(shown("plan.approval")).toBeUndefined();
  expect(shown("plan.skills", "list")).toBe("a, b");
  expect(shown("code.profile")).toBe("deep");
  expect(shown("code.provider")).toBe("");
  expect(shown("workflow.loop.max_iters")).toBe("");
});

test("what is written in the form becomes an edit of its type", () => {
  expect(editOf(field("plan.prompt"), "Plan it")).toEqual({ path: "plan.prompt", value: "Plan it" });
  expect(editOf(field("plan.prompt"), " ")).toEqual({ path: "plan.prompt", remove: true });
  expect(editOf(field("plan.retries", "number"), "4")).toEqual({ path: "plan.retries", value: 4 });
  expect(editOf(field("plan.retries", "number"), "four")).toEqual({ path: "plan.retries", value: "four" });
  expect(editOf(field("plan.skills", "list"), "a, ,b")).toEqual({ path: "plan.skills", value: ["a", "b"] });
  expect(editOf(field("plan.with.fast", "switch"), "true")).toEqual({ path: "plan.with.fast", value: true });
});

test("retries are asked for with retry, and options where the schema of the provider declares them", () => {
  const paths = (model: unknown, stage: string) => stageFields(stage, model, KNOWN).map(({ path }) => path);
  expect(paths(MODEL, "plan")).toContain("plan.retries");
  expect(paths(MODEL, "code")).not.toContain("code.retries");
  expect(paths({ code: { on_failure: "retry" } }, "code")).toContain("code.retries");
  expect(paths(MODEL, "plan").filter((path) => path.includes(".with."))).toEqual([
    "plan.with.model",
    "plan.with.effort",
    "plan.with.fast",
  ]);
  expect(stageFields("code", MODEL, KNOWN).find(({ label }) => label === "Profile")?.options).toEqual([
    "simple",
    "deep",
  ]);
});

test("stages are moved and removed in the list", () => {
  const path = "workflow.stages";
  expect(moved(["a", "b", "c"], "b", -1)).toEqual([{ path, value: ["b", "a", "c"] }]);
  expect(moved(["a", "b", "c"], "b", 1)).toEqual([{ path, value: ["a", "c", "b"] }]);
  expect(moved(["a", "b"], "a", -1)).toEqual([]);
  expect(removed(MODEL, ["plan", "code"], "plan")).toEqual([
    { path, value: ["code"] },
    { path: "plan", remove: true },
  ]);
  expect(removed({}, ["plan"], "plan")).toEqual([{ path, value: [] }]);
});
