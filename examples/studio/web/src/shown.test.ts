import { readFileSync } from "node:fs";

import type { RunStatus, Spent, StageStatus, Wait, WaitReason } from "workflow-client";
import { expect, test } from "vitest";

import { cost, counted, dollars, duration, tokens } from "./format";
import { quotaTime, quotaWords, runStatus, stageStatus, waitStatus, type Shown } from "./words";

const REPORT = new URL("../../../../crates/workflow-service/src/report/", import.meta.url);

type Words = Record<string, [word: string, tone: string]>;
interface SharedWords {
  durations: [number, string][];
  dollars: [number, string][];
  counted: [number, string][];
  spent: { spent: Spent; cost: string; tokens: string }[];
  runs: Words;
  waits: Words;
  stages: Words;
}

/** How reports show statuses and numbers: a test of the service reads the same file. */
const shown = JSON.parse(readFileSync(new URL("shown.json", REPORT), "utf8")) as SharedWords;

test("numbers are shown as in reports", () => {
  for (const [ms, text] of shown.durations) expect(duration(ms)).toBe(text);
  for (const [amount, text] of shown.dollars) expect(dollars(amount)).toBe(text);
  for (const [number, text] of shown.counted) expect(counted(number, "call")).toBe(text);
  for (const each of shown.spent) expect([cost(each.spent), tokens(each.spent)]).toEqual([each.cost, each.tokens]);
});

test("statuses have the words and tones of reports", () => {
  const pair = ({ word, reason, tone }: Shown) => [reason === undefined ? word : `${word}: ${reason}`, tone];
  for (const [status, is] of Object.entries(shown.runs)) {
    expect(pair(runStatus({ status: status as RunStatus }))).toEqual(is);
  }
  for (const [reason, is] of Object.entries(shown.waits)) expect(pair(waitStatus(reason as WaitReason))).toEqual(is);
  for (const [status, is] of Object.entries(shown.stages)) {
    expect(pair(stageStatus(status as StageStatus))).toEqual(is);
  }
});

test("the built page has the colours of reports", () => {
  const built = readFileSync(new URL("../dist/style.css", import.meta.url), "utf8")
    .replace(/\s/g, "")
    .toLowerCase();
  const tokens = readFileSync(new URL("tokens.css", REPORT), "utf8");
  const colours = [...tokens.matchAll(/(--[\w-]+):\s*(light-dark\(.+?\))/g)];
  expect(colours.length).toBeGreaterThan(10);
  // The build may write a colour shorter: #ffffff as #fff.
  const short = (colour: string) => colour.replace(/\s/g, "").replace(/#(.)\1(.)\2(.)\3(?![0-9a-f])/g, "#$1$2$3");
  for (const [, name, value] of colours) {
    expect(short(built)).toContain(`${name}:${short(value ?? "")}`);
    expect(built.split(`${name}:`)).toHaveLength(2);
  }
});

test("a time of a quota that is a guess is shown as one", () => {
  const now = Date.parse("2026-11-29T12:00:00Z");
  const told: Wait = { reason: "quota", until: "2026-12-01T14:02:00Z" };
  const guess: Wait = { ...told, untilIsGuess: true };
  expect(quotaTime(told, now)).not.toContain("guess");
  expect(quotaWords(told, now)).toMatch(/as the provider says\.$/);
  expect(quotaTime(guess, now)).toMatch(/^until 1 Dec \d\d:\d\d \(a guess\)$/);
  expect(quotaWords(guess, now)).toMatch(
    /It did not say until when: the next attempt at 1 Dec \d\d:\d\d is a guess\.$/,
  );
  expect(quotaTime({ reason: "quota" }, now)).toBe("no time given");
});
