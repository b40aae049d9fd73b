import type { Page } from "playwright-core";
import { expect, test } from "vitest";

import { eventually } from "./studio.ts";
import { studio, tab } from "./setup.ts";
import { FLOW, wide } from "./workflows.ts";

const focused = (page: Page) => page.evaluate(() => document.activeElement?.getAttribute("data-node"));

test("graph: arms that were not taken are dashed, a foreach is one node with counts, and arrows follow the lines", async () => {
  const server = await studio(FLOW);
  const { page, goto } = await tab(server);
  await server.run("flow", "r1");
  await server.until("r1", "failed");
  await goto("/runs/r1/graph");
  const box = (id: string) => page.locator(`[data-node="${id}"]`);
  await box("go/each").getByText("2/3, 1 failed").waitFor();
  expect(await page.locator("[data-node]").count()).toBe(8);
  expect(await box("go/left").getAttribute("class")).not.toContain("is-skipped");
  expect(await box("go/right").getAttribute("class")).toContain("is-skipped");
  expect(await page.locator(".graph-line.is-skipped").count()).toBeGreaterThan(0);
  // One stop of the tab key, whatever the number of boxes.
  expect(await page.locator("[data-node][tabindex='0']").count()).toBe(1);
  await page.getByRole("tab", { name: "Graph" }).focus();
  await page.keyboard.press("Tab");
  expect(await focused(page)).toBe("(start)");
  const walk: [string, string][] = [
    ["ArrowRight", "go"],
    ["ArrowRight", "go/draft"],
    ["ArrowRight", "go/route"],
    ["ArrowRight", "go/left"],
    ["ArrowDown", "go/right"],
    ["ArrowLeft", "go/route"],
  ];
  for (const [key, at] of walk) {
    await page.keyboard.press(key);
    await eventually(`${key} to ${at}`, async () => (await focused(page)) === at);
  }
  await page.keyboard.press("Enter");
  await page.waitForURL(/graph\?at=1\/go\[0\]\/route/);
  await page.getByRole("complementary", { name: "Selection" }).getByRole("heading", { name: "go › route" }).waitFor();
  // The address of the graph stays, also when the page is loaded again.
  await page.reload();
  await page.getByRole("complementary", { name: "Selection" }).waitFor();
  await page.getByRole("tab", { name: "Timeline" }).click();
  await page.waitForURL(/timeline\?at=/);
});

test("graph: of 1,000 nodes those in view are in the page, and any is reached", async () => {
  const server = await studio(wide(1_000));
  const { page, goto } = await tab(server);
  await server.run("wide", "w1");
  await server.until("w1", "completed");
  await goto("/runs/w1/graph");
  await page.locator("[data-nodes='1003']").waitFor();
  const boxes = page.locator("[data-node]");
  // All of it is too small to be read: spots.
  await page.locator(".graph-spots").first().waitFor();
  expect(await boxes.count()).toBeLessThanOrEqual(1);
  await page.getByRole("tab", { name: "Graph" }).focus();
  await page.keyboard.press("Tab");
  for (let n = 0; n < 4; n += 1) await page.keyboard.press("ArrowRight");
  await eventually("a node", async () => (await focused(page))?.startsWith("go/n") ?? false);
  expect(await boxes.count()).toBeLessThan(120);
  const frame = page.locator(".graph-frame");
  await frame.hover();
  await page.mouse.wheel(0, 4_000);
  await eventually("other nodes", async () => (await boxes.count()) > 0);
  await page.getByRole("button", { name: "Fit" }).click();
  await page.locator(".graph-spots").first().waitFor();
});
