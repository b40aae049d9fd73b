import { useMemo } from "react";
import type { RunPlan, RunView } from "workflow-client";

import { cost, count, tokens } from "../../format";
import { costsByProvider, type Cost } from "../../run/costs";
import type { RunFeed } from "../../run/feed";

/** What the run has cost: by stage, and by provider. What is not known is said so, and is not $0. */
export function CostPanel({ run, feed, plan }: { run: RunView; feed: RunFeed; plan: RunPlan | undefined }) {
  const { timeline, version } = feed;
  // The timeline grows in place: its version says that it has changed.
  // eslint-disable-next-line react-hooks/exhaustive-deps
  const providers = useMemo(() => [...costsByProvider(timeline)], [timeline, version]);
  const order = plan?.stages.map((stage) => stage.id) ?? Object.keys(run.context.stages);
  const stages = order.flatMap((id): [string, Cost][] => {
    const stage = run.context.stages[id];
    return stage === undefined ? [] : [[id, stage.spent]];
  });
  return (
    <div className="data costs" role="region" aria-label="Cost" tabIndex={0}>
      <Costs title="By stage" of="Stage" costs={stages} total={run.spent} />
      <Costs title="By provider, in this run" of="Provider" costs={providers} total={undefined} />
    </div>
  );
}

interface CostsProps {
  title: string;
  of: string;
  costs: [string, Cost][];
  total: Cost | undefined;
}

function Costs({ title, of, costs, total }: CostsProps) {
  const row = (name: string, spent: Cost) => (
    <tr key={name}>
      <th scope="row">{name}</th>
      <td className="number">{count(spent.attempts)}</td>
      <td className="number">{tokens(spent)}</td>
      <td className="number">{cost(spent)}</td>
    </tr>
  );
  return (
    <table className="cost-table">
      <caption>{title}</caption>
      <thead>
        <tr>
          <th scope="col">{of}</th>
          <th scope="col">Ended attempts</th>
          <th scope="col">Tokens</th>
          <th scope="col">Cost</th>
        </tr>
      </thead>
      <tbody>{costs.map(([name, spent]) => row(name, spent))}</tbody>
      {total === undefined ? null : <tfoot>{row("Total", total)}</tfoot>}
    </table>
  );
}
