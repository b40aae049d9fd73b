import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import type { Page } from "playwright-core";
import { afterAll, expect, test } from "vitest";

import { studio, studioOfFiles, tab } from "./setup.ts";
import { eventually } from "./studio.ts";
import { DEMO, LINES, STEADY, wide } from "./workflows.ts";

/** Figures beside their budgets. Times are printed, as they depend on the machine; sizes and counts are asserted. */
const figures: [what: string, figure: string, budget: string][] = [];
const note = (what: string, figure: string, budget: string) => void figures.push([what, figure, budget]);

afterAll(() => {
  const width = (n: 0 | 1) => Math.max(...figures.map((figure) => figure[n].length));
  console.log(figures.map(([a, b, c]) => `budgets: ${a.padEnd(width(0))}  ${b.padStart(width(1))}  (${c})`).join("\n"));
});

const TIMES = 5;
/** The greatest of a few values, which stands for their 95th percentile. */
const worst = (values: number[]) => Math.max(...values);
const ms = (value: number) => `${Math.round(value)} ms`;
const percentile = (values: number[], share: number) =>
  [...values].sort((a, b) => a - b)[Math.max(0, Math.ceil(values.length * share) - 1)] ?? 0;

test("budgets: what is loaded", async () => {
  const dist = join(import.meta.dirname, "../dist");
  const size = (name: string) => gzipSync(readFileSync(join(dist, name))).length;
  const loaded = readdirSync(dist).filter((name) => /\.(js|css|html)$/.test(name));
  const all = loaded.reduce((sum, name) => sum + size(name), 0);
  const first = ["index.html", "studio.js", "style.css"].reduce((sum, name) => sum + size(name), 0);
  note("all files, compressed", `${(all / 1_000).toFixed(0)} KB`, "≤ 400 KB");
  note("first page, compressed", `${(first / 1_000).toFixed(0)} KB`, "≤ 160 KB");
  expect(all).toBeLessThanOrEqual(400_000);
  expect(first).toBeLessThanOrEqual(160_000);

  const server = await studio({ demo: DEMO });
  const { page, goto } = await tab(server);
  const paints: number[] = [];
  for (let n = 0; n < TIMES; n += 1) {
    await goto("/workflows");
    await page.locator("[data-row]").first().waitFor();
    paints.push(
      await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? Infinity),
    );
  }
  note("first contentful paint", ms(worst(paints)), "≤ 500 ms");
});

/** Notes the time between frames, and tasks that take longer than 50 ms, from now on. */
async function watchFrames(page: Page): Promise<() => Promise<{ frames: number[]; longest: number }>> {
  await page.evaluate(() => {
    const noted = { frames: [] as number[], longest: 0, stop: false };
    (window as unknown as { noted: typeof noted }).noted = noted;
    let last = performance.now();
    const frame = (now: number) => {
      noted.frames.push(now - last);
      last = now;
      if (!noted.stop) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) noted.longest = Math.max(noted.longest, entry.duration);
    }).observe({ type: "longtask" });
  });
  return () =>
    page.evaluate(() => {
      const { noted } = window as unknown as { noted: { frames: number[]; longest: number; stop: boolean } };
      noted.stop = true;
      return { frames: noted.frames.slice(1), longest: noted.longest };
    });
}

/** The longest answer of the server to an operation since the last look, as the page saw it. */
async function answered(page: Page, operation: string): Promise<number> {
  return page.evaluate((name) => {
    const found = performance.getEntriesByType("resource").filter((entry) => entry.name.endsWith(`/${name}`));
    performance.clearResourceTimings();
    return Math.max(0, ...found.map((entry) => entry.duration));
  }, operation);
}

async function heap(page: Page): Promise<number> {
  const debug = await page.context().newCDPSession(page);
  await debug.send("HeapProfiler.collectGarbage");
  const { usedSize } = await debug.send("Runtime.getHeapUsage");
  await debug.detach();
  return usedSize / 1_000_000;
}

test("budgets: a log that grows by 500 lines a second", { timeout: 180_000 }, async () => {
  const server = await studio({ steady: STEADY });
  const { page, goto } = await tab(server);
  await server.run("steady", "r1");
  await goto("/runs/r1");
  const total = async () => Number((await page.locator(".log-total").textContent())?.replace(/\D/g, ""));
  await eventually("the first lines", async () => (await total()) > 2_000);
  const before = await heap(page);
  const begun = await total();
  const stop = await watchFrames(page);
  await eventually("20 s of lines", async () => (await total()) > begun + 10_000, 120_000);
  const { frames, longest } = await stop();
  const grown = (await heap(page)) - before;
  server.touch("stop");
  note("growing log: frame, p95", ms(percentile(frames, 0.95)), "≤ 20 ms");
  note("growing log: longest task", longest === 0 ? "none above 50 ms" : ms(longest), "≤ 50 ms");
  note("growing log: heap after 10,000 lines", `${grown.toFixed(1)} MB`, "≤ 20 MB for 30,000");
  expect(await page.locator(".log-line").count()).toBeLessThan(150);
});

test("budgets: a log of 1,000,000 lines", { timeout: 180_000 }, async () => {
  const { server, store } = await studioOfFiles({ lines: LINES });
  const { page, goto } = await tab(server);
  await server.run("lines", "r1", { lines: 1 });
  await server.until("r1", "completed");
  await store.writeLog("r1", 1_000_000, (number) => `line ${number}`);
  await goto("/runs/r1");
  const lines = page.getByRole("log");
  await page.locator(".log-line").first().waitFor();
  const times: number[] = [];
  const answers: number[] = [];
  await answered(page, "workflow:runs:logs");
  for (const share of [0.1, 0.9, 0.35, 0.6, 0.01]) {
    // From the scroll to the paint of the lines that were read for it.
    times.push(
      await lines.evaluate(
        (log, at) =>
          new Promise<number>((resolve) => {
            const begun = performance.now();
            log.scrollTop = (log.scrollHeight - log.clientHeight) * at;
            let wasMissing = false;
            const look = () => {
              const isMissing = log.querySelector(".log-missing") !== null;
              wasMissing ||= isMissing;
              if (wasMissing && !isMissing) resolve(performance.now() - begun);
              else requestAnimationFrame(look);
            };
            requestAnimationFrame(look);
          }),
        share,
      ),
    );
    answers.push(await answered(page, "workflow:runs:logs"));
  }
  note("1,000,000 lines: any line", ms(worst(times)), "≤ 200 ms");
  note("1,000,000 lines: of which the server", ms(worst(answers)), "of a debug build");
  const held = Number(await lines.getAttribute("data-held"));
  note("1,000,000 lines: pages held", String(held), "≤ 40");
  const height = await lines.evaluate((log) => log.scrollHeight);
  note("1,000,000 lines: scrolled height", `${height.toLocaleString("en")} px`, "≤ 16,000,000 px");
  expect(held).toBeLessThanOrEqual(40);
  expect(height).toBeLessThanOrEqual(16_000_000);
});

test("budgets: a history of 10,000 runs", { timeout: 480_000 }, async () => {
  const server = await studio({ demo: DEMO });
  const { page, goto } = await tab(server);
  await server.runMany("demo", 10_000);
  await goto("/runs");
  const rows = page.locator("[data-row]");
  await page.locator(".page-head .number", { hasText: "10,000" }).waitFor();
  const times: number[] = [];
  const answers: number[] = [];
  for (const text of ["h987", "h12", "h5000", "h77", "h3"]) {
    await answered(page, "workflow:runs:list");
    const begun = Date.now();
    await page.getByLabel("Search runs").fill(text);
    await page.getByLabel("Search runs").press("Enter");
    await page.locator(".page-head .number").filter({ hasNotText: "10,000" }).waitFor();
    await rows.filter({ hasText: text }).first().waitFor();
    times.push(Date.now() - begun);
    answers.push(await answered(page, "workflow:runs:list"));
    await page.getByRole("button", { name: "Clear" }).click();
    await page.locator(".page-head .number", { hasText: "10,000" }).waitFor();
  }
  note("10,000 runs: filter", ms(worst(times)), "≤ 150 ms");
  note("10,000 runs: of which the server", ms(worst(answers)), "of a debug build");
  let most = await rows.count();
  // The next pages come as the end comes into view, and rows that are out of it go.
  for (let n = 1; n <= 5; n += 1) {
    const last = async () => Number(await rows.last().getAttribute("data-index"));
    await page.locator("#page").evaluate((element) => (element.scrollTop = element.scrollHeight));
    await eventually(`${n + 1} pages`, async () => (await last()) >= n * 100);
    most = Math.max(most, await rows.count());
  }
  note("10,000 runs: rows in the page", String(most), "≤ 80");
  expect(most).toBeLessThanOrEqual(80);
  expect(await page.getByRole("table", { name: "Runs" }).getAttribute("aria-rowcount")).toBe("10001");
  await page.locator(".row-check").first().check();
  await page.getByRole("button", { name: "Choose all 10,000" }).click();
  await page.getByText("10,000 runs chosen").waitFor({ timeout: 60_000 });
});

test("budgets: a graph of 1,000 nodes", async () => {
  const server = await studio(wide(1_000));
  const { page, goto } = await tab(server);
  await server.run("wide", "w1");
  await server.until("w1", "completed");
  const times: number[] = [];
  for (let n = 0; n < TIMES; n += 1) {
    await goto("/runs/w1/graph");
    await page.locator("[data-nodes='1003']").waitFor();
    times.push(await page.evaluate(() => performance.getEntriesByName("graph-layout").at(-1)?.duration ?? Infinity));
  }
  note("1,000 nodes: layout", ms(worst(times)), "≤ 1,000 ms");
  const frame = page.locator(".graph-frame");
  for (const [what, presses] of [
    ["all of it", 0],
    ["where it can be read", 3],
  ] as const) {
    for (let n = 0; n < presses; n += 1) await page.getByRole("button", { name: "Zoom in" }).click();
    const box = await frame.boundingBox();
    if (box === null) throw new Error("no graph");
    const [x, y] = [box.x + box.width / 2, box.y + 6];
    await page.mouse.move(x, y);
    await page.mouse.down();
    const stop = await watchFrames(page);
    for (let step = 1; step <= 60; step += 1) {
      await page.mouse.move(x - step * 4, y + Math.sin(step / 6) * 4);
      await page.evaluate(() => new Promise(requestAnimationFrame));
    }
    await page.mouse.up();
    const { frames } = await stop();
    note(`1,000 nodes: frame while panning, ${what}, p95`, ms(percentile(frames, 0.95)), "≤ 33 ms");
  }
  const boxes = await page.locator("[data-node]").count();
  note("1,000 nodes: boxes in the page", String(boxes), "those in view");
  expect(boxes).toBeLessThan(300);
});
