import { expect, test } from "vitest";

import { eventually } from "./studio.ts";
import { studio, tab } from "./setup.ts";
import { LOOP, SHIP, TICKS } from "./workflows.ts";

test("seven-tabs: seven pages of one origin stay live, and each can still ask the server", async () => {
  const server = await studio({ ticks: TICKS, ship: SHIP });
  const { page, goto } = await tab(server);
  await server.run("ticks", "r1");
  await goto("/runs/r1");
  const pages = [page];
  for (let n = 2; n <= 7; n += 1) {
    const other = await page.context().newPage();
    other.setDefaultTimeout(40_000);
    await other.goto(`${server.origin}/runs/r1/timeline`);
    pages.push(other);
  }
  // A browser gives an origin six connections: each page has one stream, of which only visible pages keep theirs.
  for (const each of pages) {
    await each.bringToFront();
    await each.locator(".log-line").first().waitFor();
    const total = async () => Number((await each.locator(".log-total").textContent())?.replace(/\D/g, ""));
    const before = await total();
    await eventually("further lines", async () => (await total()) > before);
  }
  // The first is asked something, and shows what comes of it.
  await page.bringToFront();
  await page.getByRole("tab", { name: "Data" }).click();
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByText("pause requested", { exact: true }).waitFor();
  server.touch("stop");
  for (const each of pages) {
    await each.bringToFront();
    await each
      .locator(".run-title .status", { hasText: "Paused" })
      .or(each.locator(".run-title .status", { hasText: "Completed" }))
      .waitFor();
  }
});

test("loop-five: five iterations are folded to a row each, and say why the loop went on and stopped", async () => {
  const server = await studio({ loop: LOOP });
  const { page, goto } = await tab(server);
  await server.run("loop", "r1");
  await server.until("r1", "completed");
  await goto("/runs/r1");
  await page.locator(".facts").getByText("5 of ≤ 8", { exact: true }).waitFor();
  const row = (n: number) => page.getByRole("row", { name: new RegExp(`Iteration ${n}`) });
  for (let n = 1; n <= 4; n += 1) {
    expect(await row(n).getAttribute("aria-expanded")).toBe("false");
    await row(n)
      .getByText(/next from work/)
      .waitFor();
  }
  expect(await row(5).getAttribute("aria-expanded")).toBe("true");
  await row(5).getByText(/^done/).waitFor();
  expect(await page.getByRole("row", { name: /work, completed/ }).count()).toBe(1);
  await row(2)
    .getByRole("button", { name: /^Iteration 2/ })
    .click();
  const details = page.getByRole("complementary", { name: "Selection" });
  await details.getByText("The condition does not hold: the next iteration begins with work.").waitFor();
  await details.getByText("$.n >= 5").waitFor();
});
