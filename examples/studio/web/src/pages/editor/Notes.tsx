import { useState } from "react";

import { moment } from "../../format";
import { Button } from "../../parts/Button";
import { Dialog } from "../../parts/Dialog";
import { Failed } from "../../parts/states";
import { printable } from "../run/DataPanel";
import { diffLines } from "./texts";
import type { FileText } from "./useFileText";

interface Props {
  file: FileText;
  theirs: string;
  version: string;
}

/** What a person has to know of the file before the text is saved. */
export function Notes({ file, theirs, version }: Props) {
  const [isComparing, compare] = useState(false);
  const { draft, save } = file;
  return (
    <>
      {file.isStale ? (
        <div className="note tone-waiting editor-note" role="alert">
          <span className="grow">The file was changed since this page read it. Nothing was saved.</span>
          <Button slim onClick={() => compare(true)}>
            Compare
          </Button>
          <Button slim onClick={file.takeTheirs}>
            Take theirs
          </Button>
          <Button slim onClick={() => save.mutate(version)}>
            Keep mine
          </Button>
        </div>
      ) : save.isError ? (
        <div className="editor-note">
          <Failed failure={save.error} />
        </div>
      ) : null}
      {draft === undefined ? null : (
        <div className="note editor-note draft-note" role="status">
          <span className="grow">
            Changes of {moment(draft.at, Date.now())} were not saved.
            {draft.version === version ? "" : " The file has changed since."}
          </span>
          <Button slim onClick={file.restore}>
            Restore them
          </Button>
          <Button slim onClick={file.dropDraft}>
            Discard them
          </Button>
        </div>
      )}
      {isComparing ? (
        <Dialog title="The file and your text" onClose={() => compare(false)}>
          <div className="body">
            <pre className="theirs">
              {diffLines(theirs, file.text).map((line, index) => (
                <div key={index} className={`is-${line.kind}`}>
                  {{ same: "  ", added: "+ ", removed: "- " }[line.kind] + printable(line.text)}
                </div>
              ))}
            </pre>
          </div>
          <footer>
            <span className="muted small">+ yours, - the file</span>
            <span className="grow" />
            <Button onClick={() => compare(false)}>Close</Button>
          </footer>
        </Dialog>
      ) : null}
    </>
  );
}
