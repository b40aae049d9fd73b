import { useState } from "react";
import type { RunView } from "workflow-client";

import { Button } from "../../parts/Button";
import { copyText } from "../../parts/copy";
import { bytes } from "../../format";
import { visible } from "../../log/visible";

/** How much of a value is shown, in characters. */
const SHOWN = 20_000;

/** The variables of a run, and the outputs of its stages. */
export function DataPanel({ run }: { run: RunView }) {
  const values = [
    ...Object.entries(run.context.vars).map(([name, value]) => ({ path: `vars.${name}`, value })),
    ...Object.entries(run.context.stages)
      .filter(([, stage]) => stage.output !== undefined && stage.output !== null)
      .map(([id, stage]) => ({ path: `stages.${id}.output`, value: stage.output })),
  ];
  if (values.length === 0) return <p className="muted pad">No variables, and no outputs yet.</p>;
  return (
    <div className="data" role="region" aria-label="Data" tabIndex={0}>
      {values.map(({ path, value }) => (
        <Value key={path} path={path} value={value} />
      ))}
    </div>
  );
}

export function Value({ path, value }: { path: string | undefined; value: unknown }) {
  const [isWhole, showWhole] = useState(false);
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  const isCut = text.length > SHOWN && !isWhole;
  return (
    <section className="value">
      {path === undefined ? null : (
        <header>
          <code>{path}</code>
          <span className="muted small number">{bytes(text.length)}</span>
          <span className="grow" />
          <Button slim kind="plain" onClick={() => void copyText(`\${${path}}`, `\${${path}}`)}>
            Copy expression
          </Button>
          <Button slim kind="plain" onClick={() => void copyText(text, path)}>
            Copy value
          </Button>
        </header>
      )}
      <pre>{printable(isCut ? text.slice(0, SHOWN) : text)}</pre>
      {isCut ? (
        <Button slim onClick={() => showWhole(true)}>
          Show all {bytes(text.length)}
        </Button>
      ) : null}
    </section>
  );
}

/** The lines of a text, with what cannot be seen as numbers. */
export const printable = (text: string): string => text.split("\n").map(visible).join("\n");
