import type { Spent } from "workflow-client";

import type { Item, Timeline } from "./timeline";

/** What the runs that nodes have started are listed as. */
const OTHERS = "other workflows";

export type Cost = Pick<Spent, "attempts" | "costUsd" | "unpriced" | "tokens" | "uncounted">;

/** What the ended attempts of this run cost, by provider, and the runs that it has started; what a fork was given by an earlier
 * run is not among it. */
export function costsByProvider(timeline: Timeline): Map<string, Cost> {
  const costs = new Map<string, Cost>();
  const add = (name: string, used: Cost) => {
    const cost = costs.get(name) ?? { attempts: 0, costUsd: null, unpriced: 0, tokens: null, uncounted: 0 };
    cost.attempts += used.attempts;
    if (used.costUsd !== null) cost.costUsd = (cost.costUsd ?? 0) + used.costUsd;
    cost.unpriced += used.unpriced;
    if (used.tokens !== null) cost.tokens = (cost.tokens ?? 0) + used.tokens;
    cost.uncounted += used.uncounted;
    costs.set(name, cost);
  };
  const visit = (item: Item) => {
    for (const attempt of item.attempts) {
      if (attempt.outcome === "running") continue;
      const { costUsd = null, inputTokens, outputTokens } = attempt.usage ?? {};
      const isCounted = (inputTokens ?? outputTokens ?? null) !== null;
      add(attempt.provider, {
        attempts: 1,
        costUsd,
        unpriced: costUsd === null ? 1 : 0,
        tokens: isCounted ? (inputTokens ?? 0) + (outputTokens ?? 0) : null,
        uncounted: isCounted ? 0 : 1,
      });
    }
    for (const { attempts, costUsd = null, unpriced = 0, tokens = null, uncounted = 0 } of item.used) {
      add(OTHERS, { attempts, costUsd, unpriced, tokens, uncounted });
    }
    item.children.forEach(visit);
  };
  timeline.iterations.forEach(visit);
  return costs;
}
