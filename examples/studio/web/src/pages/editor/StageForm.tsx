import { useId, useState } from "react";
import type { FieldEdit, Problem, WorkflowDetail } from "workflow-client";

import { Button } from "../../parts/Button";
import { editsOf, shownValue, stageOf, STAGE_FIELDS, type StageField } from "./fields";
import { useProviders } from "./query";

interface Props {
  stage: string;
  file: WorkflowDetail;
  problems: Problem[];
  /** Why nothing can be saved now. */
  blocked: string | undefined;
  onSave: (edits: FieldEdit[]) => void;
  onDirty: (isDirty: boolean) => void;
  /** Shows a field in the text. */
  onFind: (path: string) => void;
}

/** The fields of a stage. Saving changes these fields in the file, and leaves every other byte of it alone. */
export function StageForm({ stage, file, problems, blocked, onSave, onDirty, onFind }: Props) {
  const [changed, setChanged] = useState<Record<string, string>>({});
  const edits = editsOf(stage, file.model, changed);
  const set = (values: Record<string, string>) => {
    setChanged(values);
    onDirty(editsOf(stage, file.model, values).length > 0);
  };
  const save = () => {
    if (blocked === undefined && edits.length > 0) onSave(edits);
  };
  return (
    <form
      className="stage-form"
      aria-label={`Stage ${stage}`}
      onSubmit={(event) => {
        event.preventDefault();
        save();
      }}
      onKeyDown={(event) => {
        if (event.key !== "s" || !(event.ctrlKey || event.metaKey)) return;
        event.preventDefault();
        save();
      }}
    >
      {STAGE_FIELDS.map((field) => (
        <Field
          key={field.name}
          field={field}
          stored={shownValue(stageOf(file.model, stage), field.name)}
          value={changed[field.name]}
          problem={problems.find(({ path }) => path === `${stage}.${field.name}`)}
          onChange={(value) => set({ ...changed, [field.name]: value })}
          onFind={() => onFind(`${stage}.${field.name}`)}
        />
      ))}
      <div className="stage-actions">
        <Button
          kind="primary"
          type="submit"
          blocked={blocked ?? (edits.length === 0 ? "No field was changed" : undefined)}
        >
          Save stage
        </Button>
        {edits.length > 0 ? <Button onClick={() => set({})}>Discard</Button> : null}
      </div>
    </form>
  );
}

interface FieldProps {
  field: StageField;
  /** The value in the file; undefined if it is no single value. */
  stored: string | undefined;
  value: string | undefined;
  problem: Problem | undefined;
  onChange: (value: string) => void;
  onFind: () => void;
}

function Field({ field, stored, value, problem, onChange, onFind }: FieldProps) {
  const id = useId();
  const providers = useProviders().data?.providers.map(({ name }) => name) ?? [];
  if (stored === undefined) {
    return (
      <div className="form-field">
        <span className="label">{field.label}</span>
        <p className="muted small">
          It has several values.{" "}
          <Button slim onClick={onFind}>
            Edit in the text
          </Button>
        </p>
      </div>
    );
  }
  const current = value ?? stored;
  const common = {
    id,
    value: current,
    "aria-invalid": problem === undefined ? undefined : true,
    "aria-describedby": `${id}-about`,
  };
  const options = field.kind === "onFailure" ? ["stop", "continue", "retry"] : providers;
  return (
    <div className="form-field">
      <label htmlFor={id}>{field.label}</label>
      {field.kind === "lines" ? (
        <textarea
          className="field"
          rows={5}
          {...common}
          placeholder={field.absent}
          onChange={(event) => onChange(event.target.value)}
        />
      ) : field.kind === "provider" || field.kind === "onFailure" ? (
        <select className="field" {...common} onChange={(event) => onChange(event.target.value)}>
          <option value="">{`not set: ${field.absent}`}</option>
          {[...new Set([...options, ...(current === "" ? [] : [current])])].map((option) => (
            <option key={option}>{option}</option>
          ))}
        </select>
      ) : (
        <input
          className="field"
          {...common}
          inputMode={field.kind === "number" ? "numeric" : undefined}
          placeholder={`not set: ${field.absent}`}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
      <p id={`${id}-about`} className={problem === undefined ? "muted small" : "field-error"}>
        {problem?.message ?? field.about}
      </p>
    </div>
  );
}
