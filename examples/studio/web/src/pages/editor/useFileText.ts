import { useMutation } from "@tanstack/react-query";
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import type { WorkflowDetail } from "workflow-client";

import { client, codeOf, queries } from "../../service/client";
import { toast } from "../../shell/notices";
import { dropDraft, keepDraft, readDraft, type Draft } from "./drafts";
import type { YamlView } from "./yaml/view";

/** How often a draft is kept while there are changes, in milliseconds. */
const DRAFT = 2_000;

/** The text beside the file: what it began with, whether it was changed, and what becomes of the changes. */
export function useFileText(file: WorkflowDetail, yaml: YamlView, reload: () => void) {
  const { id } = file;
  const text = useSyncExternalStore(yaml.subscribe, yaml.read);
  const [base, setBase] = useState({ text: file.text, version: file.version });
  const isDirty = text !== base.text;

  const save = useMutation({
    mutationFn: async (version: string) => {
      // A read that started before the save would return the old file after it: it is cancelled.
      await queries.cancelQueries({ queryKey: ["file", id] });
      return client.call("workflow:update", { id, version, text: yaml.read() });
    },
    onSuccess: async (saved) => {
      await queries.cancelQueries({ queryKey: ["file", id] });
      setBase(saved);
      queries.setQueryData(["file", id], (known: WorkflowDetail | undefined) => known && { ...known, ...saved });
      setDraft(undefined);
      void dropDraft(id);
      toast(`Saved ${id}`);
      void queries.invalidateQueries({ queryKey: ["workflows"] });
    },
    onError: (failure) => {
      if (codeOf(failure) === "stale") reload();
    },
  });

  // The file was changed by others: the page follows it, unless a person has changed the text.
  const { text: theirs, version } = file;
  const isChanged = version !== base.version && !save.isPending;
  useEffect(() => {
    if (!isChanged || (isDirty && text !== theirs)) return;
    yaml.replace(theirs, "file");
    setBase({ text: theirs, version });
  }, [isChanged, isDirty, text, theirs, version, yaml]);

  const [draft, setDraft] = useState<Draft>();
  const [first] = useState(file.text);
  useEffect(() => {
    void readDraft(id).then((found) => setDraft(found?.text === first ? undefined : found));
  }, [id, first]);
  const kept = useRef<string>(undefined);
  useEffect(() => {
    if (!isDirty) return;
    const keep = () => {
      if (kept.current === yaml.read()) return;
      kept.current = yaml.read();
      void keepDraft({ id, text: yaml.read(), version: base.version, at: Date.now() });
    };
    const timer = setInterval(keep, DRAFT);
    return () => clearInterval(timer);
  }, [id, isDirty, base.version, yaml]);

  return {
    text,
    base,
    isDirty,
    isStale: isDirty && (isChanged || codeOf(save.error) === "stale"),
    save,
    draft: isDirty ? undefined : draft,
    /** Makes the draft the text. */
    restore: () => {
      if (draft !== undefined) yaml.replace(draft.text, "form");
      setDraft(undefined);
    },
    dropDraft: () => {
      setDraft(undefined);
      void dropDraft(id);
    },
    /** Makes the text of the file the text. What was typed stays as a draft. */
    takeTheirs: () => {
      const mine: Draft = { id, text: yaml.read(), version: base.version, at: Date.now() };
      save.reset();
      yaml.replace(theirs, "form");
      setBase({ text: theirs, version });
      setDraft(mine);
      void keepDraft(mine);
    },
    discard: () => {
      save.reset();
      yaml.replace(base.text, "form");
      setDraft(undefined);
      void dropDraft(id);
    },
  };
}

export type FileText = ReturnType<typeof useFileText>;
