import type { Event } from "workflow-client";
import { expect, test } from "vitest";

import { costsByProvider } from "./costs";
import { Timeline } from "./timeline";

test("costs are summed by provider, and what is not known is counted and not taken for nothing", () => {
  const at = "2026-11-29T12:00:00Z";
  const attempt = (seq: number, node: string, provider: string, usage: object | undefined) => [
    { seq, at, v: 1, type: "attempt_started", data: { path: `1/a[0]/${node}`, attempt: 1, provider } },
    {
      seq: seq + 1,
      at,
      v: 1,
      type: "attempt_succeeded",
      data: { path: `1/a[0]/${node}`, attempt: 1, output: "x", usage },
    },
  ];
  const events = [
    ...attempt(1, "x", "one", { costUsd: 0.5, inputTokens: 10, outputTokens: 5 }),
    ...attempt(3, "y", "one", undefined),
    ...attempt(5, "z", "two", { costUsd: 0 }),
  ] as unknown as Event[];
  expect(Object.fromEntries(costsByProvider(Timeline.of(events)))).toEqual({
    one: { attempts: 2, costUsd: 0.5, unpriced: 1, tokens: 15, uncounted: 1 },
    two: { attempts: 1, costUsd: 0, unpriced: 0, tokens: null, uncounted: 1 },
  });
});
