import { useState } from "react";
import type { Problem } from "workflow-client";

import { Button } from "../../parts/Button";
import { AddStageDialog } from "./AddStageDialog";
import { Field } from "./Field";
import {
  moved,
  removed,
  shownValue,
  stageFields,
  stagesOf,
  WORKFLOW_FIELDS,
  type FormField,
  type Known,
} from "./fields";
import { sectionOf } from "./places";
import type { Form } from "./useForm";

interface Props {
  id: string;
  model: unknown;
  known: Known;
  form: Form;
  problems: Problem[];
  /** The part of the form, or the field, that is chosen. */
  at: string | undefined;
  /** The line in which the text cannot be read, while it cannot. */
  unreadable: number | undefined;
  onSelect: (path: string) => void;
  onFocus: (path: string) => void;
  onFind: (path: string) => void;
  onLine: (line: number) => void;
}

/** The fields of the workflow or of a stage. */
export function EditorForm(props: Props) {
  const { id, model, known, form, problems, at, unreadable, onSelect, onFocus, onFind, onLine } = props;
  const [isAdding, add] = useState(false);
  const stages = stagesOf(model) ?? [];
  const wanted = at === undefined ? undefined : sectionOf(at);
  const section = wanted === "workflow" || (wanted !== undefined && stages.includes(wanted)) ? wanted : stages[0];
  if (section === undefined) {
    return <p className="muted">The file does not list its stages in a way that the form understands: use the text.</p>;
  }
  const isStage = section !== "workflow";
  const fields: FormField[] = isStage ? stageFields(section, model, known) : WORKFLOW_FIELDS;
  const countOf = (name: string) => problems.filter(({ path }) => sectionOf(path) === name).length;
  const step = (by: number) => void form.edit(moved(stages, section, by));
  const index = stages.indexOf(section);
  const remove = async () => {
    await form.edit(removed(model, stages, section));
    onSelect(stages[index + 1] ?? stages[index - 1] ?? "workflow");
  };
  return (
    <>
      {unreadable === undefined ? null : (
        <div className="note tone-failed" role="status">
          <span className="grow">The text cannot be read in line {unreadable}. The form waits for it.</span>
          <Button slim onClick={() => onLine(unreadable)}>
            Go to line {unreadable}
          </Button>
        </div>
      )}
      <fieldset disabled={unreadable !== undefined}>
        <legend className="hidden">{isStage ? `Stage ${section}` : "Workflow"}</legend>
        <div className="stage-tabs" role="group" aria-label="Part">
          {["workflow", ...stages].map((name) => (
            <Button
              key={name}
              slim
              className={`${name === "workflow" ? "is-workflow" : ""}${countOf(name) > 0 ? " has-problem" : ""}`}
              aria-pressed={name === section}
              draggable={name !== "workflow"}
              onDragStart={(event) => event.dataTransfer.setData("text/plain", name)}
              onDragOver={(event) => event.preventDefault()}
              onDrop={(event) => {
                event.preventDefault();
                const from = stages.indexOf(event.dataTransfer.getData("text/plain"));
                const to = stages.indexOf(name);
                if (from >= 0 && to >= 0) void form.edit(moved(stages, stages[from] as string, to - from));
              }}
              onClick={() => onSelect(name)}
            >
              {name === "workflow" ? "Workflow" : name}
              {countOf(name) > 0 ? <span className="hidden"> with problems</span> : null}
            </Button>
          ))}
          <Button slim kind="plain" onClick={() => add(true)}>
            + Stage
          </Button>
        </div>
        {isStage ? (
          <div className="stage-actions">
            <Button slim blocked={index === 0 ? "It is the first stage" : undefined} onClick={() => step(-1)}>
              Up
            </Button>
            <Button
              slim
              blocked={index === stages.length - 1 ? "It is the last stage" : undefined}
              onClick={() => step(1)}
            >
              Down
            </Button>
            <Button
              slim
              kind="danger"
              blocked={stages.length === 1 ? "A workflow has at least one stage" : undefined}
              onClick={() => void remove()}
            >
              Remove
            </Button>
          </div>
        ) : (
          <p className="muted small">
            The id is <code>{id}</code>. It does not change.
          </p>
        )}
        {fields.map((field) => (
          <Field
            key={field.path}
            field={field}
            stored={shownValue(model, field)}
            written={form.written[field.path]?.text}
            problem={problems.find(({ path }) => path === field.path || path.startsWith(`${field.path}[`))}
            refused={form.refused[field.path]}
            isLinked={at === field.path}
            onWrite={(text) => form.write(field, text)}
            onLeave={() => void form.commit()}
            onFocus={() => onFocus(field.path)}
            onFind={() => onFind(field.path)}
          />
        ))}
      </fieldset>
      {isAdding ? (
        <AddStageDialog
          stages={stages}
          onClose={() => add(false)}
          onAdd={async (name) => {
            await form.edit([
              { path: "workflow.stages", value: [...stages, name] },
              { path: `${name}.provider`, value: known.provider ?? "demo" },
            ]);
            add(false);
            onSelect(name);
          }}
        />
      ) : null}
    </>
  );
}
