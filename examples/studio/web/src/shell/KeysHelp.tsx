import { Dialog } from "../parts/Dialog";

const KEYS: [keys: string[], what: string][] = [
  [["Ctrl+K"], "every action, by its name"],
  [["?"], "these keys"],
  [["/"], "search the page"],
  [["g", "i"], "Inbox"],
  [["g", "w"], "Workflows"],
  [["g", "r"], "Runs"],
  [["g", "s"], "Settings"],
  [["j"], "the next row; k the one before; Enter opens it"],
  [["["], "the attempt before; ] the next one, of what is selected in the timeline"],
  [["."], "the next failure in the timeline"],
  [["f"], "follow the log"],
  [["w"], "wrap the lines of the log"],
  [["t"], "times in the log"],
  [["Ctrl+S"], "save, in the editor"],
  [["Ctrl+Z"], "undo, in the form and the text of the editor"],
  [["F8"], "the next problem in the editor; Shift+F8 the one before"],
  [["Ctrl+."], "correct the problem where the cursor is, in the editor"],
  [["Esc", "Tab"], "leave the text of the editor"],
  [["Ctrl+Enter"], "run, in the dialog of a run; save and run, in the editor"],
  [["Esc"], "close what is open"],
];

/** What the keys do. None of them pauses, cancels, approves or deletes. */
export function KeysHelp({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keys" onClose={onClose}>
      <div className="body">
        <KeysList />
      </div>
    </Dialog>
  );
}

export function KeysList() {
  return (
    <dl className="keys-list">
      {KEYS.map(([keys, what]) => (
        <div key={what} style={{ display: "contents" }}>
          <dt>
            {keys.map((key) => (
              <kbd key={key}>{key}</kbd>
            ))}
          </dt>
          <dd>{what}</dd>
        </div>
      ))}
    </dl>
  );
}
