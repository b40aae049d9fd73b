import type { Spent } from "workflow-client";

import type { Item, Timeline } from "./timeline";

export type Cost = Pick<Spent, "attempts" | "costUsd" | "unpriced" | "tokens" | "uncounted">;

/** What the ended attempts of this run cost, by provider; what a fork was given by an earlier run is not among it. */
export function costsByProvider(timeline: Timeline): Map<string, Cost> {
  const costs = new Map<string, Cost>();
  const add = (item: Item) => {
    for (const attempt of item.attempts) {
      if (attempt.outcome === "running") continue;
      const cost = costs.get(attempt.provider) ?? {
        attempts: 0,
        costUsd: null,
        unpriced: 0,
        tokens: null,
        uncounted: 0,
      };
      const { costUsd, inputTokens, outputTokens } = attempt.usage ?? {};
      cost.attempts += 1;
      if (costUsd === undefined || costUsd === null) cost.unpriced += 1;
      else cost.costUsd = (cost.costUsd ?? 0) + costUsd;
      const isCounted = (inputTokens ?? outputTokens ?? null) !== null;
      if (isCounted) cost.tokens = (cost.tokens ?? 0) + (inputTokens ?? 0) + (outputTokens ?? 0);
      else cost.uncounted += 1;
      costs.set(attempt.provider, cost);
    }
    item.children.forEach(add);
  };
  timeline.iterations.forEach(add);
  return costs;
}
