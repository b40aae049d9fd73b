import { expect, test } from "vitest";

import { PHONE } from "./browser.ts";
import { studio, tab } from "./setup.ts";
import { HELLO, NIGHTLY, QUOTA, SHIP, TYPED } from "./workflows.ts";

test("list: runs are shown, filtered by the address, and patched in place", async () => {
  const server = await studio({ hello: HELLO, nightly: NIGHTLY, ship: SHIP });
  const { page, goto } = await tab(server);
  await server.run("hello", "h1");
  await server.run("nightly", "n1");
  await server.run("ship", "s1");
  await server.until("n1", "failed");
  await server.until("s1", "paused");
  await goto("/runs");
  const rows = page.getByRole("table", { name: "Runs" }).locator("[data-row]");
  await rows.nth(2).waitFor();
  const ship = rows.filter({ hasText: "s1" });
  await ship.getByText("Waiting: approval").waitFor();
  await rows.filter({ hasText: "n1" }).getByText("the checksum does not match").waitFor();

  // A change of a run changes its row; a new run waits.
  const { run } = await server.client.call("workflow:runs:get", { runId: "s1" });
  await server.client.call("workflow:runs:answer", { runId: "s1", wait: run.waits?.[0]?.number ?? 0, value: true });
  await ship.getByText("Completed").waitFor();
  await server.run("hello", "h2");
  await page.getByRole("button", { name: "1 new" }).click();
  await rows.filter({ hasText: "h2" }).waitFor();

  await page.getByLabel("Status").selectOption("Failed");
  await page.waitForURL(/status=failed/);
  await rows.filter({ hasText: "h1" }).waitFor({ state: "detached" });
  expect(await rows.count()).toBe(1);
  await page.goBack();
  await goto("/runs?q=nothing-has-this");
  await page.getByText("No run matches the filter.").waitFor();
  await page.getByRole("button", { name: "Clear the filter" }).click();
  await rows.nth(3).waitFor();
});

test("unknown-cost: a cost that is not known is not $0", async () => {
  const server = await studio({ hello: HELLO, ship: SHIP });
  const { page, goto } = await tab(server);
  await server.run("hello", "h1");
  await server.run("ship", "s1");
  await server.until("h1", "completed");
  await server.until("s1", "paused");
  await goto("/runs/h1");
  await page.locator(".facts", { hasText: "Spent" }).getByText("unknown", { exact: true }).waitFor();
  await goto("/runs/s1");
  await page.locator(".facts").getByText("$0.0042", { exact: true }).waitFor();
  await page.getByRole("tab", { name: "Cost" }).click();
  const costs = page.getByRole("table", { name: "By provider, in this run" });
  await costs.getByRole("row", { name: "demo 1 1,280 $0.0042" }).waitFor();
  await goto("/runs/h1/timeline?dock=cost");
  await page.getByRole("row", { name: "Total 1 unknown unknown" }).waitFor();
});

test("quota-known-unknown: a time is the provider's, and none is made up", async () => {
  const server = await studio({ quota: QUOTA });
  const { page, goto } = await tab(server);
  await server.run("quota", "q1");
  await server.until("q1", "paused");
  await goto("/runs/q1");
  // With its day where that is not today.
  await page.getByText(/The provider's quota is used up until .*\d\d:\d\d, as the provider says\./).waitFor();
  server.write("endless", QUOTA.replace("again_in: 1h, ", ""));
  await server.run("endless", "q2");
  // Without a time there is nothing to wait for: the run fails, and no time is shown.
  await server.until("q2", "failed");
  await goto("/runs/q2");
  await page.getByRole("region", { name: "Why the run failed" }).getByText("Quota used up", { exact: true }).waitFor();
  expect(await page.getByText(/until .*\d\d:\d\d/).count()).toBe(0);
});

test("deep-links: every place has an address, and dead ones lead to the nearest page and say so", async () => {
  const server = await studio({ nightly: NIGHTLY });
  const { page, goto } = await tab(server);
  await server.run("nightly", "r1");
  await server.until("r1", "failed");
  await goto("/runs/r1/timeline?at=1/verify&attempt=1&dock=log");
  await page.getByRole("complementary", { name: "Selection" }).getByRole("heading", { name: "verify" }).waitFor();
  expect(await page.getByRole("button", { name: "#1" }).getAttribute("aria-pressed")).toBe("true");
  // The address stays as it was written.
  expect(new URL(page.url()).search).toBe("?at=1/verify&attempt=1&dock=log");
  await page.goto(`${server.origin}/runs/none/timeline`);
  await page.getByText("There is no run none. These are the runs.").waitFor();
  await page.waitForURL("**/runs");
  await page.goto(`${server.origin}/workflows/nightly/nothing`);
  await page.getByText("There is no page /workflows/nightly/nothing. This is the workflows.").waitFor();
  await page.goto(`${server.origin}/workflows/none/run`);
  await page.getByText("There is no workflow none. These are the workflows.").waitFor();
  await page.goto(`${server.origin}/runs/r1`);
  await page.waitForURL("**/runs/r1/timeline");
});

test("typed-vars: the run gets what the fields say, each of its type", async () => {
  const server = await studio(TYPED);
  const { page, goto } = await tab(server);
  await goto("/workflows");
  await page.getByRole("link", { name: "Run Typed" }).click();
  const dialog = page.getByRole("dialog", { name: "Run Typed" });
  await dialog.getByLabel("goal").waitFor();
  await dialog.getByRole("button", { name: "Run" }).click();
  await dialog.getByText("This is required.").waitFor();
  expect(await dialog.getByLabel("goal").evaluate((field) => field === document.activeElement)).toBe(true);
  await dialog.getByLabel("goal").fill("tidy up");
  await dialog.getByLabel("count").fill("x");
  await dialog.getByText("Write a number.").waitFor();
  await dialog.getByLabel("count").fill("7.5");
  await dialog.getByLabel("careful").check();
  await dialog.getByRole("textbox", { name: /^files/ }).fill("a.txt\nb c.txt");
  await dialog.getByText(/^Ready: 1 stage with demo/).waitFor();
  await page.keyboard.press("Control+Enter");
  await page.waitForURL(/\/runs\/[^/]+\/timeline/);
  await page.locator(".run-title .status", { hasText: "Completed" }).waitFor();
  const runId = decodeURIComponent(new URL(page.url()).pathname.split("/")[2] ?? "");
  const { run } = await server.client.call("workflow:runs:get", { runId });
  expect(run.context.vars).toEqual({ goal: "tidy up", count: 7.5, careful: true, files: ["a.txt", "b c.txt"] });

  // The values of a run are the ones to begin with.
  await goto(`/workflows/typed/run?from=${runId}`);
  expect(
    await page
      .getByRole("dialog")
      .getByRole("textbox", { name: /^files/ })
      .inputValue(),
  ).toBe("a.txt\nb c.txt");
});

test("same-key: another run with the same id is refused, with a link to the first", async () => {
  const server = await studio({ hello: HELLO });
  const { page, goto } = await tab(server);
  await server.run("hello", "h1");
  await goto("/workflows/hello/run");
  const dialog = page.getByRole("dialog");
  await dialog.getByText("Options").click();
  await dialog.getByLabel("Id of the run").fill("h1");
  await dialog.getByLabel("name").fill("Ada");
  await dialog.getByRole("button", { name: "Run", exact: true }).click();
  await dialog.getByRole("alert").waitFor();
  await dialog.getByRole("link", { name: "Open the run h1" }).click();
  await page.waitForURL("**/runs/h1/timeline");
});

test("list-template: an empty home offers templates, and one of them runs", async () => {
  const server = await studio();
  const { page, goto } = await tab(server);
  await goto("/");
  await page.waitForURL("**/workflows");
  await page.getByRole("button", { name: "Use Single stage" }).click();
  await page.getByRole("dialog", { name: "Run Single stage" }).getByLabel("goal").fill("say hello");
  await page.keyboard.press("Control+Enter");
  await page.locator(".run-title .status", { hasText: "Completed" }).waitFor();
});

test("phone: lists are cards, nothing scrolls sideways, and an approval is given", async () => {
  const server = await studio({ ship: SHIP, nightly: NIGHTLY });
  const { page, goto } = await tab(server, { viewport: PHONE, hasTouch: true, isMobile: true });
  await server.run("nightly", "n1");
  await server.run("ship", "s1");
  await server.until("n1", "failed");
  await server.until("s1", "paused");
  for (const width of [320, 390]) {
    await page.setViewportSize({ width, height: 844 });
    for (const path of [
      "/workflows",
      "/workflows/ship/run",
      "/runs",
      "/runs/n1/timeline",
      "/runs/n1/timeline?dock=log",
      "/inbox",
    ]) {
      await goto(path);
      await page.locator("[data-row], .run-head, .log-line").first().waitFor();
      const over = await page.evaluate(() => {
        const main = document.getElementById("page");
        return Math.max(
          document.documentElement.scrollWidth - innerWidth,
          (main?.scrollWidth ?? 0) - (main?.clientWidth ?? 0),
        );
      });
      expect(over, `${path} at ${width}`).toBeLessThanOrEqual(0);
    }
  }
  await goto("/inbox");
  await page.getByRole("link", { name: /Ship a plan/ }).click();
  await page.getByRole("button", { name: "Approve, start ship" }).click();
  await server.until("s1", "completed");
  await goto("/runs/s1");
  await page.getByRole("tab", { name: "Log" }).click();
  await page.locator(".log-line", { hasText: "shipped" }).waitFor();
});

test("keyboard: g and a letter open pages, j and k move, Enter opens, / searches", async () => {
  const server = await studio({ hello: HELLO });
  const { page, goto } = await tab(server);
  for (const run of ["h1", "h2"]) await server.run("hello", run);
  await server.until("h2", "completed");
  await goto("/workflows");
  await page.keyboard.press("g");
  await page.keyboard.press("r");
  await page.waitForURL("**/runs");
  await page.locator("[data-row]").nth(1).waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  const focused = await page.evaluate(() => document.activeElement?.closest("[data-row]")?.getAttribute("data-index"));
  expect(focused).toBe("1");
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keys" }).getByText("search the page").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/runs/h1/timeline");
});

test("delete-in-use: a workflow with runs that have not ended is not deleted, and the page names them", async () => {
  const server = await studio({ hello: HELLO, ship: SHIP });
  const { page, goto } = await tab(server);
  await server.run("ship", "s1");
  await server.until("s1", "paused");
  await goto("/workflows");
  await page.getByRole("button", { name: "More for Ship a release" }).click();
  const dialog = page.getByRole("dialog", { name: "Ship a release" });
  await dialog.getByRole("link", { name: "s1" }).waitFor();
  expect(await dialog.getByRole("button", { name: "Delete" }).getAttribute("aria-disabled")).toBe("true");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "More for Hello" }).click();
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("button", { name: "Delete hello" }).click();
  await page.getByText("Deleted hello").waitFor();
  const { workflows } = await server.client.call("workflow:list", {});
  expect(workflows.map((workflow) => workflow.id)).toEqual(["ship"]);
});

test("import-no-overwrite: an import shows first what it adds, and replaces nothing", async () => {
  const server = await studio({ hello: HELLO });
  const { page, goto } = await tab(server);
  const { text } = await server.client.call("workflow:export", { id: "hello" });
  server.write("hello", HELLO.replace("[echo,", "[echo, other,"));
  await goto("/workflows");
  await page.getByRole("button", { name: "Import" }).click();
  const dialog = page.getByRole("dialog", { name: "Import a workflow" });
  const file = { name: "hello.yml", mimeType: "application/yaml", buffer: Buffer.from(text) };
  await dialog.getByLabel("File of an export").setInputFiles(file);
  await dialog.getByText("Another one is here").waitFor();
  expect(await dialog.getByRole("button", { name: "Import" }).getAttribute("aria-disabled")).toBe("true");
  await dialog.getByLabel("Id here").fill("hello-2");
  await dialog.getByText("Added").first().waitFor();
  await dialog.getByRole("button", { name: "Import" }).click();
  await page.waitForURL("**/workflows/hello-2");
  const kept = await server.client.call("workflow:get", { id: "hello" });
  expect(kept.text).toContain("[echo, other,");
});
