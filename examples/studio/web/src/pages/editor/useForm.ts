import { useCallback, useEffect, useRef, useState } from "react";
import type { FieldEdit } from "workflow-client";

import { client, messageOf } from "../../service/client";
import { alertNow } from "../../shell/notices";
import { editOf, type FormField } from "./fields";
import type { YamlView } from "./yaml/view";

/** How long nothing is typed in a field until it becomes a change of the text, in milliseconds. */
const REST = 600;

/** What is written in a field: until the text has it, and the text was read again. */
interface Written {
  field: FormField;
  text: string;
  isSent: boolean;
}

export interface Form {
  written: Record<string, Written>;
  /** Why a field cannot be changed by itself. */
  refused: Record<string, string>;
  /** Whether something was written that the text, as it was read last, does not have. */
  isPending: boolean;
  write: (field: FormField, text: string) => void;
  drop: (path: string) => void;
  /** Makes what was written a change of the text. */
  commit: () => Promise<void>;
  edit: (edits: FieldEdit[]) => Promise<void>;
}

const without = (all: Record<string, Written>, path: string) =>
  Object.fromEntries(Object.entries(all).filter(([each]) => each !== path));

/** The form changes the text as a person would: what is written in it becomes one step of the history of the text. */
export function useForm(yaml: YamlView, isCurrent: boolean): Form {
  const [written, setWritten] = useState<Record<string, Written>>({});
  const [refused, setRefused] = useState<Record<string, string>>({});
  const latest = useRef(written);
  const set = useCallback((change: (written: Record<string, Written>) => Record<string, Written>) => {
    latest.current = change(latest.current);
    setWritten(latest.current);
  }, []);
  const queue = useRef<Promise<void>>(Promise.resolve());

  const edit = useCallback(
    (edits: FieldEdit[]) => {
      const run = async () => {
        // What is typed in the text meanwhile must not be lost: the edit is made again in the newer text.
        for (;;) {
          const before = yaml.read();
          const { text } = await client.call("workflow:edit", { text: before, edits });
          if (yaml.read() !== before) continue;
          yaml.replace(text, "form");
          return;
        }
      };
      const done = queue.current.then(run);
      queue.current = done.catch(() => undefined);
      return done;
    },
    [yaml],
  );
  const commit = useCallback(async () => {
    const typed = Object.entries(latest.current).filter(([, { isSent }]) => !isSent);
    if (typed.length === 0) return queue.current;
    set((all) => ({ ...all, ...Object.fromEntries(typed.map(([path, each]) => [path, { ...each, isSent: true }])) }));
    for (const [path, { field, text }] of typed) {
      const before = yaml.read();
      const made = edit([editOf(field, text)]).then(() => {
        // Nothing will be read again.
        if (yaml.read() === before) set((all) => without(all, path));
      });
      await made.catch((failure: unknown) => {
        setRefused((all) => ({ ...all, [path]: messageOf(failure) }));
        alertNow(messageOf(failure));
        set((all) => without(all, path));
      });
    }
  }, [edit, set, yaml]);

  const isTyped = Object.values(written).some(({ isSent }) => !isSent);
  useEffect(() => {
    if (!isTyped) return;
    const timer = setTimeout(() => void commit(), REST);
    return () => clearTimeout(timer);
  }, [isTyped, written, commit]);
  // The text was read again: its fields say what is in it.
  useEffect(() => {
    if (!isCurrent) return;
    set((all) => Object.fromEntries(Object.entries(all).filter(([, { isSent }]) => !isSent)));
  }, [isCurrent, set]);
  useEffect(() => yaml.subscribe(() => setRefused({})), [yaml]);

  return {
    written,
    refused,
    isPending: Object.keys(written).length > 0,
    write: (field, text) => set((all) => ({ ...all, [field.path]: { field, text, isSent: false } })),
    drop: (path) => set((all) => without(all, path)),
    commit,
    edit,
  };
}
