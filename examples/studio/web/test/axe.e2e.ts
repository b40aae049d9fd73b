import { readFileSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

import type { Page } from "playwright-core";
import { expect, test } from "vitest";

import { PHONE, WIDE } from "./browser.ts";
import { studio, tab } from "./setup.ts";
import { HELLO, NIGHTLY, QUOTA, SHIP, SLOW, TYPED } from "./workflows.ts";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** Pictures of every page, for people to look at: git ignores them. */
const SHOTS = join(import.meta.dirname, "../shots");
/** The pictures of the README, which are written with `npm run pictures`. */
const PICTURES = process.env["STUDIO_PICTURES"] === undefined ? [] : ["run-failed", "editor"];

/** What axe finds: it is put into the page by the debugger, as the policy of the page allows no other script. */
async function findings(page: Page): Promise<string[]> {
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

/** The pages and their states, with what says that they are complete. */
const PAGES: [name: string, path: string, ready: string][] = [
  ["workflows", "/workflows", "[data-row]"],
  ["workflows-none", "/workflows?q=none-of-this", ".empty"],
  ["editor", "/workflows/nightly?stage=verify", ".problems, .problems-none"],
  ["run-dialog", "/workflows/typed/run", ".preflight li"],
  ["runs", "/runs", "[data-row]"],
  ["runs-none", "/runs?q=none-of-this", ".empty"],
  ["run-failed", "/runs/n1/timeline", ".attention"],
  ["run-waiting", "/runs/s1/timeline", ".question"],
  ["run-selected", "/runs/n1/timeline?at=1/verify", ".inspector .attempts"],
  ["run-running", "/runs/l1/timeline", ".run-head"],
  ["run-log", "/runs/n1/timeline?dock=log", ".log-line"],
  ["run-data", "/runs/s1/timeline?dock=data", ".data, .question"],
  ["inbox", "/inbox", "[data-item]"],
];

test.each(["light", "dark"] as const)("axe-matrix: no serious finding on any page, %s", async (colorScheme) => {
  mkdirSync(SHOTS, { recursive: true });
  const server = await studio({ hello: HELLO, nightly: NIGHTLY, ship: SHIP, slow: SLOW, quota: QUOTA, ...TYPED });
  await server.run("hello", "h1");
  await server.run("nightly", "n1");
  await server.run("ship", "s1");
  await server.run("slow", "l1");
  await server.run("quota", "q1");
  await server.until("n1", "failed");
  await server.until("s1", "paused");
  await server.until("q1", "paused");
  const found: string[] = [];
  for (const viewport of [WIDE, PHONE]) {
    const { page, goto, close } = await tab(server, { viewport, colorScheme, reducedMotion: "reduce" });
    for (const [name, path, ready] of PAGES) {
      await goto(path);
      await page.locator(ready).first().waitFor();
      await page.screenshot({ path: join(SHOTS, `${name}-${viewport.width}-${colorScheme}.png`) });
      if (PICTURES.includes(name) && viewport === WIDE && colorScheme === "light") {
        await page.screenshot({ path: join(import.meta.dirname, `../../pictures/${name}.png`) });
      }
      found.push(...(await findings(page)).map((finding) => `${name} ${viewport.width}: ${finding}`));
    }
    await close();
  }
  expect(found).toEqual([]);
});
