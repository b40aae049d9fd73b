import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import type { Event, RunChanges, RunView } from "workflow-client";

import { count, counted } from "../../format";
import { isNamed, parseDiff, statFiles } from "../../diff/diff";
import { visible } from "../../log/visible";
import { Button } from "../../parts/Button";
import { copyText, download } from "../../parts/copy";
import { Icon } from "../../parts/Icon";
import { useNarrow } from "../../parts/narrow";
import { Failed, Skeleton } from "../../parts/states";
import type { RunFeed } from "../../run/feed";
import { client, codeOf } from "../../service/client";
import { isOver } from "../../words";
import { DiffOfFile } from "./DiffOfFile";

/** The commits that calls have reported, by their ids: the place, and the files of each. */
function reported(events: Event[]): Map<string, { place: string; files: string[] }> {
  const found = new Map<string, { place: string; files: string[] }>();
  for (const event of events) {
    if (event.type !== "attempt_succeeded" && event.type !== "attempt_failed") continue;
    const details = event.type === "attempt_succeeded" ? event.data.details : event.data.error.details;
    const { worktree } = (details ?? {}) as { worktree?: { commit?: string; stat?: string } };
    if (typeof worktree?.commit !== "string") continue;
    found.set(worktree.commit, { place: event.data.path, files: statFiles(worktree.stat ?? "") });
  }
  return found;
}

/** What a run has committed in a worktree of its own. */
export function ChangesPanel({ run, feed }: { run: RunView; feed: RunFeed }) {
  const first = feed.events[0];
  const isIsolated = first?.type === "run_created" && first.data.isolated === true;
  const commits = useMemo(
    () => reported(feed.events),
    // Events are added in place: their number says that there are more.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [feed.events, feed.timeline.seq],
  );
  const query = useQuery({
    queryKey: ["diff", run.runId, commits.size, isOver(run.status)],
    queryFn: ({ signal }) => client.call("workflow:runs:diff", { runId: run.runId }, { signal }),
    enabled: isIsolated,
    placeholderData: (before) => before,
  });
  if (first === undefined) return <Skeleton rows={4} />;
  if (!isIsolated) {
    return (
      <p className="muted pad">
        This run has no worktree of its own, so what it changes in files is not recorded. The dialog of a run has the
        option <em>In a git worktree of its own</em>, and a workflow the field <code>worktree</code>.
      </p>
    );
  }
  if (query.isError) {
    if (codeOf(query.error) === "not_found") return <p className="muted pad">It has not worked in a worktree yet.</p>;
    return <Failed failure={query.error} retry={() => void query.refetch()} />;
  }
  if (query.isPending) return <Skeleton rows={6} />;
  if (query.data.commits.length === 0) return <p className="muted pad">Nothing was changed yet.</p>;
  return <Changes runId={run.runId} changes={query.data} reports={commits} />;
}

interface ChangesProps {
  runId: string;
  changes: RunChanges;
  reports: ReturnType<typeof reported>;
}

function Changes({ runId, changes, reports }: ChangesProps) {
  const isNarrow = useNarrow();
  const [isSplit, split] = useState(false);
  const [failure, setFailure] = useState<unknown>();
  const files = useMemo(() => parseDiff(changes.diff ?? ""), [changes.diff]);
  const savePatch = () => {
    setFailure(undefined);
    client
      .call("workflow:worktrees:patch", { runId })
      .then(({ patch }) => download(`${runId}.patch`, patch, "text/x-patch"))
      .catch(setFailure);
  };
  return (
    <section className="data changes" role="region" aria-label="Changes" tabIndex={0}>
      <div className="two changes-bar">
        <span>
          {counted(changes.files.length, "file")} in {counted(changes.commits.length, "commit")} on the branch
        </span>
        <code className="ellipsis">{changes.branch}</code>
        <Button slim kind="plain" icon="copy" onClick={() => void copyText(changes.branch, "the branch")}>
          Copy
        </Button>
        <span className="grow" />
        {isNarrow ? null : (
          <Button slim kind="plain" aria-pressed={isSplit} onClick={() => split(!isSplit)}>
            Side by side
          </Button>
        )}
        <Button slim icon="download" onClick={savePatch}>
          Patch
        </Button>
      </div>
      {failure === undefined ? null : <Failed failure={failure} />}
      <div className="scroll-x" role="region" aria-label="Files by commit" tabIndex={0}>
        <table className="cost-table change-table">
          <thead>
            <tr>
              <th scope="col">File</th>
              <th scope="col">Lines</th>
              {changes.commits.map(({ id, subject }) => (
                <th scope="col" key={id} title={`${id}: ${visible(subject)}`}>
                  <Commit subject={subject} place={reports.get(id)?.place} />
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {changes.files.map((file) => (
              <tr key={file.path}>
                <th scope="row">
                  <a
                    className="mono"
                    href={`#diff-${encodeURIComponent(file.path)}`}
                    onClick={(event) => {
                      event.preventDefault();
                      const section = document.getElementById(`diff-${file.path}`);
                      section?.scrollIntoView({ block: "start" });
                      section?.focus({ preventScroll: true });
                    }}
                  >
                    {visible(file.path)}
                  </a>
                </th>
                <td className="number">
                  {typeof file.added === "number" ? `+${count(file.added)} −${count(file.removed ?? 0)}` : "not text"}
                </td>
                {changes.commits.map(({ id }) => {
                  const report = reports.get(id);
                  const isIn = report?.files.some((named) => isNamed(file.path, named));
                  return (
                    <td key={id} className="change-cell">
                      {report === undefined ? <span title="The commit does not say">?</span> : null}
                      {isIn ? (
                        <>
                          <Icon name="completed" />
                          <span className="hidden">changed</span>
                        </>
                      ) : null}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {files.map((file) => (
        <DiffOfFile key={file.path} file={file} isSplit={isSplit && !isNarrow} />
      ))}
      {changes.truncated ? (
        <p className="muted">The diff has more than 4 MiB and ends here: the branch has all of it.</p>
      ) : null}
    </section>
  );
}

/** The node that a commit belongs to, and whether its call failed. */
function Commit({ subject, place }: { subject: string; place: string | undefined }) {
  const outcome = /\((failed|stopped)\)$/.exec(subject)?.[1];
  return (
    <span className="two">
      <span className="mono">{place ?? visible(subject)}</span>
      {outcome === undefined ? null : (
        <span className={`status tone-${outcome === "failed" ? "failed" : "cancelled"}`}>
          <Icon name={outcome === "failed" ? "failed" : "cancelled"} />
          {outcome}
        </span>
      )}
    </span>
  );
}
