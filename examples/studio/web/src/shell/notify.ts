import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef } from "react";

import { useInbox } from "../pages/inbox/query";
import { useSettings } from "./settings";

/** Tells through the browser what begins to wait for a person while the page is hidden, if that is wanted. */
export function useNotify(): void {
  const { notify } = useSettings();
  const items = useInbox().data?.items;
  const navigate = useNavigate();
  const known = useRef<Set<string>>(undefined);
  useEffect(() => {
    if (items === undefined) return;
    const before = known.current;
    known.current = new Set(items.map((item) => `${item.runId} ${item.wait ?? ""}`));
    if (before === undefined || !notify || document.visibilityState === "visible") return;
    if (!("Notification" in window) || Notification.permission !== "granted") return;
    for (const { runId, workflowId, wait, question } of items) {
      const tag = `${runId} ${wait ?? ""}`;
      if (before.has(tag)) continue;
      const shown = new Notification(`${workflowId} waits for you`, { body: question ?? runId, tag });
      shown.onclick = () => {
        window.focus();
        void navigate({ to: "/runs/$run/timeline", params: { run: runId } });
      };
    }
  }, [items, notify, navigate]);
}
