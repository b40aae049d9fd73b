import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Report, ReportFormat, RunPlan, RunView, WaitReason } from "workflow-client";

import { placeWords } from "../../address";
import { cost, count, duration } from "../../format";
import { Button } from "../../parts/Button";
import { copyText, download } from "../../parts/copy";
import { Dialog } from "../../parts/Dialog";
import { Status } from "../../parts/Icon";
import { Failed, Skeleton } from "../../parts/states";
import { Moment } from "../../parts/Time";
import { client } from "../../service/client";
import { failureClass, runStatus, stageStatus } from "../../words";
import { printable } from "./DataPanel";

interface Props {
  run: RunView;
  plan: RunPlan | undefined;
  onClose: () => void;
}

const FILES = {
  markdown: { ending: "md", type: "text/markdown" },
  html: { ending: "html", type: "text/html" },
};

/** What a run did, for readers who were not there: to read, to copy, and as a file. */
export function ReportDialog({ run: { runId }, run, plan, onClose }: Props) {
  const [failure, setFailure] = useState<unknown>();
  const query = useQuery({
    queryKey: ["report", runId, run.status, run.spent.attempts],
    queryFn: ({ signal }) => client.call("workflow:runs:report", { runId }, { signal }),
    staleTime: 0,
    gcTime: 0,
  });
  const text = async (format: ReportFormat & keyof typeof FILES, act: (text: string) => void) => {
    try {
      setFailure(undefined);
      act((await client.call("workflow:runs:report", { runId, format })).text ?? "");
    } catch (failed) {
      setFailure(failed);
    }
  };
  const save = (format: keyof typeof FILES) =>
    void text(format, (page) => download(`${runId}.${FILES[format].ending}`, page, FILES[format].type));
  const report = query.data?.report ?? undefined;
  return (
    <Dialog title={`Report of ${runId}`} onClose={onClose}>
      <div className="body report">
        {query.isError ? <Failed failure={query.error} retry={() => void query.refetch()} /> : null}
        {query.isPending ? <Skeleton rows={6} /> : null}
        {report === undefined ? null : <Reported report={report} plan={plan} />}
        {failure === undefined ? null : <Failed failure={failure} />}
      </div>
      <footer>
        <Button
          kind="plain"
          icon="copy"
          onClick={() => void text("markdown", (page) => void copyText(page, "the report"))}
        >
          Copy as Markdown
        </Button>
        <span className="grow" />
        <Button icon="download" onClick={() => save("markdown")}>
          Markdown
        </Button>
        <Button icon="download" onClick={() => save("html")}>
          HTML
        </Button>
      </footer>
    </Dialog>
  );
}

function Reported({ report, plan }: { report: Report; plan: RunPlan | undefined }) {
  return (
    <>
      <p>
        <Status {...runStatus({ status: report.status, waits: report.waits.map(({ wait }) => wait) })} tinted />
      </p>
      <p>{printable(report.summary)}</p>
      {report.next.length > 0 ? (
        <section aria-label="Next">
          <h3>What to do next</h3>
          <ul className="plain-lines">
            {report.next.map((step) => (
              <li key={step.text}>
                {printable(step.text)}
                {step.command ? <pre>{printable(step.command)}</pre> : null}
              </li>
            ))}
          </ul>
        </section>
      ) : null}
      {report.failures.length > 0 ? (
        <section aria-label="Failures">
          <h3>Failures</h3>
          <ul className="plain-lines">
            {report.failures.map((failed, n) => (
              <li key={n}>
                <span className="two">
                  <Status tone={failed.recovered ? "retrying" : "failed"} word={failureClass(failed.error)} />
                  <span>{placeWords(failed.path ?? `${failed.iteration}/${failed.stage ?? ""}`, plan)}</span>
                  {failed.recovered ? <span className="muted">recovered</span> : null}
                </span>
                <pre>{printable(failed.error.message)}</pre>
                <p className="muted">{printable(failed.advice)}</p>
              </li>
            ))}
          </ul>
        </section>
      ) : null}
      <section aria-label="Stages">
        <h3>Stages</h3>
        <div className="scroll-x" role="region" aria-label="Table of stages" tabIndex={0}>
          <table className="cost-table">
            <thead>
              <tr>
                <th scope="col">Stage</th>
                <th scope="col">Status</th>
                <th scope="col">Took</th>
                <th scope="col">Attempts</th>
                <th scope="col">Cost</th>
              </tr>
            </thead>
            <tbody>
              {report.stages.map((stage) => (
                <tr key={`${stage.iteration}/${stage.stage}`}>
                  <th scope="row">{placeWords(`${stage.iteration}/${stage.stage}`, plan)}</th>
                  <td>
                    <Status {...stageStatus(stage.status)} />
                    {stage.inherited ? <span className="muted small"> from the earlier run</span> : null}
                  </td>
                  <td className="number">{stage.durationMs === null ? "–" : duration(stage.durationMs)}</td>
                  <td className="number">{count(stage.spent.attempts)}</td>
                  <td className="number">{cost(stage.spent)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </section>
      {report.questions.length > 0 ? (
        <section aria-label="Questions">
          <h3>Questions and answers</h3>
          <ul className="plain-lines">
            {report.questions.map((asked) => (
              <li key={asked.wait}>
                <p>{printable(asked.question)}</p>
                <p className="muted">
                  {asked.answer === null ? "No answer yet" : printable(said(asked.reason, asked.answer.text))}
                  {asked.answeredBy ? `, by ${asked.answeredBy.name ?? asked.answeredBy.id}` : null}
                  {asked.answeredAt ? (
                    <>
                      {", "}
                      <Moment at={asked.answeredAt} />
                    </>
                  ) : null}
                </p>
              </li>
            ))}
          </ul>
        </section>
      ) : null}
    </>
  );
}

/** An answer: of an approval in words. */
function said(reason: WaitReason, text: string): string {
  const value = reason === "approval" ? parsed(text) : undefined;
  const { approved, comment } = typeof value === "object" && value !== null ? value : { approved: value };
  if (typeof approved !== "boolean") return `Answer: ${text}`;
  return `${approved ? "Approved" : "Rejected"}${comment ? `: ${comment}` : ""}`;
}

function parsed(text: string): boolean | { approved?: unknown; comment?: string } | null | undefined {
  try {
    return JSON.parse(text) as boolean;
  } catch {
    // A long answer is cut.
    return undefined;
  }
}
