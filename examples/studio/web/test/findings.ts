import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import type { Page } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What axe finds: it is put into the page by the debugger, as the policy of the page allows no other script. */
export async function findings(page: Page): Promise<string[]> {
  const debug = await page.context().newCDPSession(page);
  await debug.send("Runtime.evaluate", { expression: AXE });
  const { result } = await debug.send("Runtime.evaluate", {
    expression: `axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }).then((found) =>
      JSON.stringify(found.violations.filter((each) => ["serious", "critical"].includes(each.impact)).map((each) =>
        each.id + ": " + each.nodes.map((node) => node.target.join(" ") + " " + node.failureSummary.split("\\n")[1]).slice(0, 3).join("; "))))`,
    awaitPromise: true,
    returnByValue: true,
  });
  await debug.detach();
  return JSON.parse(String(result.value)) as string[];
}
