import { mkdirSync } from "node:fs";
import { join } from "node:path";

import type { Page } from "playwright-core";
import { expect, test } from "vitest";

import { PHONE, WIDE } from "./browser.ts";
import { findings } from "./findings.ts";
import { studio, tab } from "./setup.ts";
import { FLOW, HELLO, LOOP, NIGHTLY, QUOTA, SHIP, SLOW, TYPED, WRITES } from "./workflows.ts";

/** Pictures of every page, for people to look at: git ignores them. */
const SHOTS = join(import.meta.dirname, "../shots");
/** The pictures of the README, which are written with `npm run pictures`. */
const PICTURES = process.env["STUDIO_PICTURES"] === undefined ? [] : ["run-failed", "editor"];

/** The pages and their states, with what says that they are complete. */
const PAGES: [name: string, path: string, ready: string][] = [
  ["workflows", "/workflows", "[data-row]"],
  ["workflows-none", "/workflows?q=none-of-this", ".empty"],
  ["editor", "/workflows/nightly?field=verify", ".stage-tabs"],
  ["editor-yaml", "/workflows/nightly?view=yaml&field=verify.retries", ".cm-line"],
  ["editor-graph", "/workflows/nightly?view=graph&field=verify", ".graph-box"],
  ["editor-problems", "/workflows/nightly?view=problems", ".problems-none"],
  ["run-dialog", "/workflows/typed/run", ".preflight li"],
  ["runs", "/runs", "[data-row]"],
  ["runs-none", "/runs?q=none-of-this", ".empty"],
  ["run-failed", "/runs/n1/timeline", ".attention"],
  ["run-waiting", "/runs/s1/timeline", ".question"],
  ["run-selected", "/runs/n1/timeline?at=1/verify", ".inspector .attempts"],
  ["run-running", "/runs/l1/timeline", ".run-head"],
  ["run-log", "/runs/n1/timeline?dock=log", ".log-line"],
  ["run-graph", "/runs/f1/graph?at=1/go[0]/route", ".graph-box.is-selected"],
  ["run-loop", "/runs/o1/timeline?at=2", ".inspector .pairs"],
  ["compare", "/runs/compare?a=n1&b=n2&all=1", ".compare-stage"],
  ["run-cost", "/runs/n1/timeline?dock=cost", ".cost-table"],
  ["run-data", "/runs/s1/timeline?dock=data", ".data, .question"],
  ["run-changes", "/runs/w1/timeline?dock=changes", ".diff"],
  ["run-events", "/runs/n1/timeline?dock=events&event=8", ".event-json pre"],
  ["run-menu", "/runs/n1/timeline?show=menu", "dialog .run-menu"],
  ["run-report", "/runs/n1/timeline?show=report", "dialog .cost-table"],
  ["run-migrate", "/runs/s1/timeline?show=migrate", "dialog .plain-lines"],
  ["settings", "/settings/appearance", ".choices"],
  ["settings-keys", "/settings/keys", ".keys-list"],
  ["settings-doctor", "/settings/doctor", ".facts"],
  ["settings-stores", "/settings/stores", ".cost-table"],
  ["settings-workers", "/settings/workers", ".cost-table"],
  ["inbox", "/inbox", "[data-item]"],
];

/** Dialogs and states that a page comes to, and how. */
const DIALOGS: [name: string, open: (page: Page) => Promise<void>, on: string][] = [
  [
    "workflow-menu",
    async (page) => {
      await page.getByRole("button", { name: "More for Ship a release" }).click();
      await page.getByRole("dialog").getByText("It cannot be deleted").waitFor();
    },
    "workflows",
  ],
  [
    "runs-delete",
    async (page) => {
      await page.getByLabel("Choose n1").check();
      await page.getByLabel("Choose l1").check();
      await page.getByRole("button", { name: "Delete" }).click();
      await page.locator("dialog .bulk-names").first().waitFor();
    },
    "runs",
  ],
  [
    "palette",
    async (page) => {
      await page.keyboard.press("Control+k");
      await page.getByRole("dialog", { name: "Actions" }).getByRole("option").nth(8).waitFor();
    },
    "run-running",
  ],
  [
    "run-fork",
    async (page) => {
      await page.getByRole("button", { name: "Fork with changes" }).click();
      await page.getByRole("dialog", { name: "Fork n1" }).waitFor();
    },
    "run-failed",
  ],
];

test.each(["light", "dark"] as const)(
  "axe-matrix: no serious finding on any page, %s",
  { timeout: 240_000 },
  async (colorScheme) => {
    mkdirSync(SHOTS, { recursive: true });
    const server = await studio({
      hello: HELLO,
      nightly: NIGHTLY,
      ship: SHIP,
      slow: SLOW,
      quota: QUOTA,
      ...TYPED,
      ...FLOW,
      loop: LOOP,
      writes: WRITES,
    });
    server.repository();
    await server.run("hello", "h1");
    await server.run("nightly", "n1");
    await server.run("ship", "s1");
    await server.run("slow", "l1");
    await server.run("quota", "q1");
    await server.run("nightly", "n2");
    await server.run("flow", "f1");
    await server.run("loop", "o1");
    await server.client.start({ id: "writes", runId: "w1", isolated: true });
    for (const run of ["n1", "n2", "f1", "w1"]) await server.until(run, "failed");
    await server.until("o1", "completed");
    await server.until("s1", "paused");
    await server.until("q1", "paused");
    server.write("ship", SHIP.replace("echo shipped", "echo sent"));
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
        for (const [state, open] of DIALOGS.filter(([, , on]) => on === name)) {
          await open(page);
          await page.screenshot({ path: join(SHOTS, `${state}-${viewport.width}-${colorScheme}.png`) });
          found.push(...(await findings(page)).map((finding) => `${state} ${viewport.width}: ${finding}`));
        }
      }
      await close();
    }
    expect(found).toEqual([]);
  },
);
