import { useState } from "react";

import { count, counted } from "../../format";
import { pairs, type DiffLine, type FileDiff } from "../../diff/diff";
import { visible } from "../../log/visible";
import { Button } from "../../parts/Button";

/** How many lines of a file are shown before the rest is asked for. */
const FOLDED = 500;

/** The lines of a file that differ: below each other, or the old ones beside the new ones. */
export function DiffOfFile({ file, isSplit }: { file: FileDiff; isSplit: boolean }) {
  const [isWhole, showWhole] = useState(false);
  const lines = isWhole ? file.lines : file.lines.slice(0, FOLDED);
  const rest = file.lines.length - lines.length;
  return (
    <section id={`diff-${file.path}`} className="diff" aria-label={`Diff of ${file.path}`} tabIndex={-1}>
      <h3 className="mono">{visible(file.path)}</h3>
      {file.notes.map((note) => (
        <p key={note} className="muted small">
          {visible(note)}
        </p>
      ))}
      {lines.length === 0 ? null : (
        <div className="scroll-x" role="region" aria-label={`Lines of ${file.path}`} tabIndex={0}>
          {isSplit ? (
            <div className="diff-lines is-split">
              {pairs(lines).map(([before, after], n) =>
                before?.kind === "hunk" ? (
                  <Line key={n} line={before} />
                ) : (
                  <div key={n} className="diff-pair">
                    <Line line={before} of="before" />
                    <Line line={after} of="after" />
                  </div>
                ),
              )}
            </div>
          ) : (
            <div className="diff-lines">
              {lines.map((line, n) => (
                <Line key={n} line={line} />
              ))}
            </div>
          )}
        </div>
      )}
      {rest > 0 ? (
        <Button slim onClick={() => showWhole(true)}>
          {`Show ${counted(rest, "more line")} of ${count(file.lines.length)}`}
        </Button>
      ) : null}
    </section>
  );
}

const SIGNS = { same: " ", added: "+", removed: "−", hunk: "" };

function Line({ line, of }: { line: DiffLine | undefined; of?: "before" | "after" }) {
  if (line === undefined) return <div className="diff-line is-none" />;
  const number = of === "before" ? line.before : of === "after" ? line.after : (line.after ?? line.before);
  return (
    <div className={`diff-line is-${line.kind}`}>
      <span className="diff-number number">{number}</span>
      <span className="diff-sign">{SIGNS[line.kind]}</span>
      <span className="diff-text">{visible(line.text)}</span>
    </div>
  );
}
