import { useEffect } from "react";

/** The title of the page; the count of what waits stays before it. */
export function useTitle(title: string): void {
  useEffect(() => {
    const count = /^\(\d+\) /.exec(document.title)?.[0] ?? "";
    document.title = `${count}${title} · Workflow studio`;
  }, [title]);
}
