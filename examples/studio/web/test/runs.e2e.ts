import { expect, test } from "vitest";

import { studio, tab } from "./setup.ts";
import { HELLO, NIGHTLY, SLOW } from "./workflows.ts";

test("bulk-frozen: what is deleted are the runs that were chosen, and each says what became of it", async () => {
  const server = await studio({ hello: HELLO, slow: SLOW });
  const { page, goto } = await tab(server);
  for (const run of ["h1", "h2", "h3"]) {
    await server.run("hello", run);
    await server.until(run, "completed");
  }
  await server.run("slow", "s1");
  await goto("/runs");
  await page.getByLabel("Choose h1").check();
  await page.getByLabel("Choose s1").check();
  const chosen = page.getByRole("region", { name: "Chosen runs" });
  await chosen.getByText("2 runs chosen").waitFor();
  await chosen.getByRole("button", { name: "Choose all 4" }).click();
  await chosen.getByText("4 runs chosen").waitFor();
  await page.getByLabel("Choose h3").uncheck();
  await chosen.getByRole("button", { name: "Delete" }).click();
  const dialog = page.getByRole("dialog", { name: "Delete 2 runs?" });
  // The one that has not ended is named, and stays.
  await dialog.getByText("1 run has not ended").waitFor();
  await dialog.getByText("s1: running").waitFor();
  // What happens from here on changes nothing: one more run, and one of the chosen goes.
  await server.run("hello", "h4");
  await server.until("h4", "completed");
  await server.client.call("workflow:runs:delete", { runId: "h2" });
  await dialog.getByRole("button", { name: "Delete 2 runs" }).click();
  await dialog.getByText("1 run deleted, 1 not.").waitFor();
  const results = dialog.getByRole("list", { name: "Results" }).getByRole("listitem");
  await results.filter({ hasText: "h1" }).getByText("Deleted", { exact: true }).waitFor();
  await results.filter({ hasText: "h2" }).getByText("Not deleted").waitFor();
  await dialog.getByRole("button", { name: "Close" }).last().click();
  const { runs } = await server.client.call("workflow:runs:list", {});
  expect(runs.map((run) => run.runId).sort()).toEqual(["h3", "h4", "s1"]);
  server.touch("go");
});

test("keyboard-walks: runs are filtered and deleted with the keyboard alone", async () => {
  const server = await studio({ hello: HELLO, nightly: NIGHTLY });
  const { page, goto } = await tab(server);
  for (const run of ["h1", "h2"]) await server.run("hello", run);
  await server.run("nightly", "n1");
  for (const run of ["h1", "h2"]) await server.until(run, "completed");
  await server.until("n1", "failed");
  await goto("/runs");
  await page.locator("[data-row]").nth(2).waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("hello");
  await page.keyboard.press("Enter");
  await page.getByLabel("Choose n1").waitFor({ state: "detached" });
  const press = async (key: string, is: string) => {
    for (let presses = 0; presses < 60; presses += 1) {
      await page.keyboard.press("Tab");
      const name = await page.evaluate(() => {
        const focused = document.activeElement;
        return focused?.getAttribute("aria-label") ?? focused?.textContent ?? "";
      });
      if (name.startsWith(is)) return page.keyboard.press(key);
    }
    throw new Error(`60 times Tab do not reach ${is}`);
  };
  await press("Space", "Choose h");
  await page.keyboard.press("/");
  await press("Enter", "Choose all 2");
  await page.getByText("2 runs chosen").waitFor();
  await page.keyboard.press("/");
  await press("Enter", "Delete");
  await page.getByRole("dialog", { name: "Delete 2 runs?" }).waitFor();
  await press("Enter", "Delete 2 runs");
  await page.getByText("2 runs deleted.").waitFor();
  await page.keyboard.press("Escape");
  await page.getByText("No run matches the filter.").waitFor();
  // The focus is where the next thing can be done.
  expect(await page.evaluate(() => document.activeElement?.matches("[data-search]"))).toBe(true);
});

test("compare: two runs beside each other show what differs, and where they parted", async () => {
  const server = await studio({ hello: HELLO });
  const { page, goto } = await tab(server);
  await server.run("hello", "a", { name: "Ada" });
  await server.until("a", "completed");
  await server.run("hello", "b", { name: "Bob" });
  await server.until("b", "completed");
  await goto("/runs");
  await page.getByLabel("Choose a").check();
  await page.getByLabel("Choose b").check();
  await page.getByRole("link", { name: "Compare" }).click();
  await page.waitForURL("**/runs/compare?a=a&b=b");
  const vars = page.getByRole("region", { name: "Variables" });
  await vars.getByText("Ada", { exact: true }).waitFor();
  await vars.getByText("Bob", { exact: true }).waitFor();
  await page.getByRole("region", { name: "Stages" }).getByText("hello Ada").waitFor();
  await page.getByText("Both follow the same definition.").waitFor();
  await page.getByText(/^They differ first in/).waitFor();
  // The same run twice differs in nothing; all of it is shown when it is asked for.
  await goto("/runs/compare?a=a&b=a");
  await page.getByText("No stage differs.").waitFor();
  await page.getByLabel("Only what differs").uncheck();
  await page.getByRole("region", { name: "Stages" }).getByRole("heading", { name: /greet/ }).waitFor();
  await page.waitForURL("**/runs/compare?a=a&b=a&all=1");
});
