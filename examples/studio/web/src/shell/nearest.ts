/** The nearest page that exists, of an address without one. */
export function nearestPage(path: string): { to: string; name: string } {
  const [first, second] = path.split("/").filter(Boolean);
  if (first === "runs" && second !== undefined && second !== "compare") {
    return { to: `/runs/${second}/timeline`, name: "the run" };
  }
  if (first === "runs") return { to: "/runs", name: "the runs" };
  if (first === "settings") return { to: "/settings/appearance", name: "the settings" };
  if (first === "inbox") return { to: "/inbox", name: "the inbox" };
  return { to: "/workflows", name: "the workflows" };
}
