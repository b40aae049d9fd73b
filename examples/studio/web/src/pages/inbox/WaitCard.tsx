import { useMutation } from "@tanstack/react-query";
import { useId, useState } from "react";
import type { RunPlan, RunView, Wait } from "workflow-client";

import { parsePlace, placeWords } from "../../address";
import { clock, cost } from "../../format";
import { Button } from "../../parts/Button";
import { Status } from "../../parts/Icon";
import { Failed } from "../../parts/states";
import { Age } from "../../parts/Time";
import type { RunFeed } from "../../run/feed";
import { client, mayUse, queries } from "../../service/client";
import { useOffline } from "../../service/contact";
import { toast } from "../../shell/notices";
import { afterFailure, waitStatus } from "../../words";
import { printable, Value } from "../run/DataPanel";
import { useControl } from "../run/query";
import { AnswerForm, isApproval, useAnswer } from "./AnswerForm";

interface Props {
  runId: string;
  run: RunView | undefined;
  wait: Wait;
  feed: RunFeed;
  plan: RunPlan | undefined;
}

/** A question to a person: why it is asked, what the answer does, and the answer. */
export function WaitCard({ runId, run, wait, feed, plan }: Props) {
  const id = useId();
  const answer = useAnswer(wait.schema);
  const offline = useOffline() ?? (mayUse("run") ? undefined : "The token of this page only reads");
  const [control, setControl] = useState<number>();
  const send = useMutation({
    mutationFn: (value: unknown) => client.call("workflow:runs:answer", { runId, wait: wait.number ?? 0, value }),
    onSuccess: (result) => {
      if (result.recorded) setControl(result.recorded);
      else toast("Answered");
      void queries.invalidateQueries({ queryKey: ["run", runId] });
      void queries.invalidateQueries({ queryKey: ["inbox"] });
    },
  });
  const resume = useControl(runId);
  const answered = feed.events.find((event) => event.type === "answered" && event.data.wait === wait.number);
  const refused = feed.events.findLast(
    (event) => event.type === "answer_refused" && event.data.wait === wait.number && event.data.control === control,
  );
  const isPending = send.isPending || (control !== undefined && answered === undefined && refused === undefined);
  const blocked = offline ?? (isPending ? "The answer is being recorded" : undefined);
  const place = wait.place ? parsePlace(wait.place) : undefined;
  const stage = plan?.stages.find((each) => each.id === place?.stage);
  const where = place?.node === undefined ? `start ${place?.stage ?? "it"}` : `continue with ${place.node}`;
  const fails = stage === undefined ? "it fails" : afterFailure(stage.onFailure);
  const { word, reason } = waitStatus(wait.reason);
  const evidence = evidenceOf(run, place?.stage);
  if (answered?.type === "answered") {
    const by = answered.data.by ? ` by ${answered.data.by.name ?? answered.data.by.id}` : "";
    return (
      <p className="wait-done">
        Already answered {clock(Date.parse(answered.at))}
        {by}.
      </p>
    );
  }
  return (
    <form
      className={evidence === undefined ? "wait" : "wait has-evidence"}
      aria-labelledby={id}
      onSubmit={(event) => {
        event.preventDefault();
      }}
    >
      <div className="wait-main">
        <div className="attention-head">
          <Status tone="waiting" word={word} {...(reason === undefined ? {} : { reason })} />
          {wait.place ? <span>{placeWords(wait.place, plan)}</span> : null}
          {wait.since ? (
            <span className="muted">
              since <Age at={wait.since} />
            </span>
          ) : null}
          {run ? <span className="muted">spent {cost(run.spent)}</span> : null}
        </div>
        <p className="question" id={id}>
          {printable(
            wait.question ??
              (wait.reason === "crashes"
                ? "The processes that drove it have died several times in a row."
                : "It needs an answer."),
          )}
        </p>
        {wait.reason === "crashes" ? (
          <div className="attention-actions">
            <Button kind="primary" icon="play" blocked={offline} onClick={() => resume.mutate("resume")}>
              Resume, run it again
            </Button>
          </div>
        ) : wait.reason === "unknown_outcome" ? (
          <>
            <AnswerForm answer={answer} only="result" />
            <div className="attention-actions">
              <Button
                blocked={blocked}
                onClick={() => {
                  const result = answer.result();
                  if (result !== undefined) send.mutate({ outcome: "happened", result: result.value });
                }}
              >
                It happened, use the result
              </Button>
              <Button blocked={blocked} onClick={() => send.mutate({ outcome: "not_happened" })}>
                It did not happen, run again
              </Button>
            </div>
          </>
        ) : isApproval(wait.schema) ? (
          <>
            <AnswerForm answer={answer} only="comment" />
            <div className="attention-actions">
              <Button
                kind="primary"
                icon="completed"
                blocked={blocked}
                onClick={() => send.mutate(approval(true, answer.comment))}
              >
                Approve, {where}
              </Button>
              <Button
                kind="danger"
                icon="failed"
                blocked={blocked}
                onClick={() => send.mutate(approval(false, answer.comment))}
              >
                Reject, {fails}
              </Button>
            </div>
          </>
        ) : (
          <>
            <AnswerForm answer={answer} />
            <div className="attention-actions">
              <Button
                kind="primary"
                icon="completed"
                blocked={blocked}
                onClick={() => {
                  const value = answer.value();
                  if (value !== undefined) send.mutate(value.value);
                }}
              >
                Answer, {where}
              </Button>
            </div>
          </>
        )}
        {isPending ? (
          <p className="muted" role="status">
            Requested: the run shows the answer when it has taken it.
          </p>
        ) : null}
        {refused?.type === "answer_refused" ? (
          <p className="field-error" role="alert">
            Refused: {printable(refused.data.reason)}
          </p>
        ) : null}
        {send.isError ? <Failed failure={send.error} /> : null}
        {resume.isError ? <Failed failure={resume.error} /> : null}
      </div>
      {evidence === undefined ? null : <Evidence {...evidence} />}
    </form>
  );
}

const approval = (approved: boolean, comment: string): unknown =>
  comment.trim() === "" ? approved : { approved, comment };

/** What the person decides on: the output of the stage that ended last. */
function evidenceOf(run: RunView | undefined, place: string | undefined): { id: string; output: unknown } | undefined {
  const stages = Object.entries(run?.context.stages ?? {}).filter(
    ([id, stage]) => id !== place && stage.output !== undefined && stage.output !== null && stage.endedAt,
  );
  const last = stages.sort(([, a], [, b]) => (a.endedAt ?? "").localeCompare(b.endedAt ?? "")).at(-1);
  return last === undefined ? undefined : { id: last[0], output: last[1].output };
}

function Evidence({ id, output }: { id: string; output: unknown }) {
  return (
    <details className="evidence" open={JSON.stringify(output).length < 1_500}>
      <summary>Output of {id}</summary>
      <Value path={undefined} value={output} />
    </details>
  );
}
