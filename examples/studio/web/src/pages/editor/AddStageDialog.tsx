import { useId, useState } from "react";

import { Button } from "../../parts/Button";
import { Dialog } from "../../parts/Dialog";
import { messageOf } from "../../service/client";

interface Props {
  stages: string[];
  onAdd: (name: string) => Promise<void>;
  onClose: () => void;
}

/** Asks for the id of a new stage, which comes last. */
export function AddStageDialog({ stages, onAdd, onClose }: Props) {
  const id = useId();
  const [name, setName] = useState("");
  const [failure, fail] = useState<string>();
  const blocked = !/^[A-Za-z0-9_-]+$/.test(name)
    ? "Write an id of letters, digits, - and _"
    : stages.includes(name) || name === "workflow"
      ? "There is such a stage already"
      : undefined;
  return (
    <Dialog title="Add a stage" onClose={onClose}>
      <form
        className="dialog-form"
        onSubmit={(event) => {
          event.preventDefault();
          if (blocked === undefined) onAdd(name).catch((why: unknown) => fail(messageOf(why)));
        }}
      >
        <div className="body">
          <div className="form-field">
            <label htmlFor={id}>Id</label>
            <input
              id={id}
              className="field"
              autoFocus
              autoComplete="off"
              value={name}
              onChange={(event) => setName(event.target.value)}
            />
            <p className={failure === undefined ? "muted small" : "field-error"}>
              {failure ?? "Such as review. It becomes the last stage."}
            </p>
          </div>
        </div>
        <footer>
          <span className="grow" />
          <Button onClick={onClose}>Close</Button>
          <Button kind="primary" type="submit" blocked={blocked}>
            Add
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}
