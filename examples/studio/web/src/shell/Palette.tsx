import { useNavigate } from "@tanstack/react-router";
import { useEffect, useId, useMemo, useRef, useState } from "react";

import { useWorkflows } from "../pages/workflows/query";
import { copyText } from "../parts/copy";
import { Dialog } from "../parts/Dialog";
import { Icon } from "../parts/Icon";
import { allHeads } from "../service/heads";
import { runStatus } from "../words";
import { pageActions, type Action } from "./actions";
import { changeSettings, currentSettings } from "./settings";

/** How many actions are shown. */
const MOST = 50;

interface Props {
  onHelp: () => void;
  onClose: () => void;
}

/** Everything that can be done, found by its name. */
export function Palette({ onHelp, onClose }: Props) {
  const id = useId();
  const [text, setText] = useState("");
  const [index, setIndex] = useState(0);
  const field = useRef<HTMLInputElement>(null);
  // The dialog gives the focus to its first button.
  useEffect(() => field.current?.focus(), []);
  const all = useAll(onHelp);
  const found = useMemo(() => search(all, text), [all, text]);
  const at = Math.min(index, found.length - 1);
  const act = (action: Action | undefined) => {
    if (action === undefined || action.blocked !== undefined) return;
    onClose();
    action.run();
  };
  return (
    <Dialog title="Actions" onClose={onClose}>
      <div className="palette">
        <input
          ref={field}
          className="field"
          role="combobox"
          aria-label="Find an action, a workflow or a run"
          placeholder="Find an action, a workflow or a run"
          aria-expanded="true"
          aria-controls={id}
          aria-activedescendant={found.length === 0 ? undefined : `${id}-${at}`}
          value={text}
          onChange={(event) => {
            setText(event.target.value);
            setIndex(0);
          }}
          onKeyDown={(event) => {
            const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
            if (by !== 0) {
              event.preventDefault();
              const next = (at + by + found.length) % Math.max(1, found.length);
              setIndex(next);
              document.getElementById(`${id}-${next}`)?.scrollIntoView({ block: "nearest" });
            }
            if (event.key === "Enter") {
              event.preventDefault();
              act(found[at]);
            }
          }}
        />
        <p className="hidden" role="status">
          {found.length === 0 ? "Nothing has that name." : `${found.length} found`}
        </p>
        <ul id={id} role="listbox" aria-label="Actions">
          {found.map((action, n) => (
            <li
              key={`${n} ${action.name}`}
              id={`${id}-${n}`}
              role="option"
              aria-selected={n === at}
              aria-disabled={action.blocked !== undefined}
              onClick={() => act(action)}
            >
              <span className="ellipsis">{action.name}</span>
              {action.blocked === undefined ? null : <span className="muted small">{action.blocked}</span>}
              {n === at && action.blocked === undefined ? <Icon name="open" /> : null}
            </li>
          ))}
        </ul>
        {found.length === 0 ? <p className="muted pad">Nothing has that name.</p> : null}
      </div>
    </Dialog>
  );
}

/** The actions in which all words of a text are, in their order. */
function search(all: Action[], text: string): Action[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const isFound = ({ name }: Action) => words.every((word) => name.toLowerCase().includes(word));
  return all.filter(isFound).slice(0, MOST);
}

/** What the page offers, then what can be done anywhere. */
function useAll(onHelp: () => void): Action[] {
  const navigate = useNavigate();
  const workflows = useWorkflows().data?.workflows;
  return useMemo(() => {
    const go = (name: string, to: string): Action => ({ name, run: () => void navigate({ to }) });
    const settings = ["appearance", "keys", "doctor", "stores", "workers"];
    const { theme, density, zone } = currentSettings();
    const searched = document.querySelector<HTMLElement>("[data-search]");
    const ofWorkflows = (workflows ?? []).flatMap(({ id, name }): Action[] => [
      {
        name: `Run workflow ${name ?? id}`,
        run: () => void navigate({ to: "/workflows/$id/run", params: { id } }),
      },
      {
        name: `Edit workflow ${name ?? id}`,
        run: () => void navigate({ to: "/workflows/$id", params: { id } }),
      },
    ]);
    const runs = [...allHeads()].sort((a, b) => b.createdAt.localeCompare(a.createdAt));
    return [
      ...pageActions(),
      ...(searched === null ? [] : [{ name: "Search the page", run: () => searched.focus() }]),
      go("Go to Inbox", "/inbox"),
      go("Go to Workflows", "/workflows"),
      go("Go to Runs", "/runs"),
      ...settings.map((tab) => go(`Go to Settings, ${tab}`, `/settings/${tab}`)),
      { name: "Copy the link to this page", run: () => void copyText(location.href, "the link") },
      { name: "Show the keys", run: onHelp },
      ...(["system", "light", "dark"] as const)
        .filter((each) => each !== theme)
        .map((each) => ({ name: `Theme: ${each}`, run: () => changeSettings({ theme: each }) })),
      density === "normal"
        ? { name: "Compact rows", run: () => changeSettings({ density: "compact" }) }
        : { name: "Normal rows", run: () => changeSettings({ density: "normal" }) },
      zone === "local"
        ? { name: "Show times in UTC", run: () => changeSettings({ zone: "utc" }) }
        : { name: "Show local times", run: () => changeSettings({ zone: "local" }) },
      ...ofWorkflows,
      ...runs.map((run) => ({
        name: `Open run ${run.runId} of ${run.workflowId}, ${runStatus(run).word.toLowerCase()}`,
        run: () => void navigate({ to: "/runs/$run/timeline", params: { run: run.runId } }),
      })),
    ];
  }, [navigate, workflows, onHelp]);
}
