import type { Locator, Page } from "playwright-core";
import { expect, test } from "vitest";

import { eventually } from "./studio.ts";
import { studio, tab } from "./setup.ts";
import { HELLO, NIGHTLY, SHIP, SLOW } from "./workflows.ts";

const focused = (page: Page) => page.evaluate(() => document.activeElement?.textContent ?? "");

test("palette: every action of the page, workflows, runs and settings are found by name", async () => {
  const server = await studio({ hello: HELLO, nightly: NIGHTLY, slow: SLOW });
  const { page, goto } = await tab(server);
  await server.run("nightly", "n1");
  await server.until("n1", "failed");
  await goto("/runs/n1");
  await page.locator(".attention").waitFor();
  const palette = page.getByRole("dialog", { name: "Actions" });
  // A dialog keeps the keys to itself: the palette opens when none is left.
  const leave = async (dialog: Locator) => {
    await dialog.waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
  };
  const find = async (text: string) => {
    await page.keyboard.press("Control+k");
    await palette.getByRole("combobox").waitFor();
    await page.keyboard.type(text);
  };
  // An action of the run: it opens a dialog, and the focus comes back.
  await find("report of");
  await page.keyboard.press("Enter");
  await leave(page.getByRole("dialog", { name: "Report of n1" }));
  // What cannot be done says why, and is not done.
  await find("cancel this");
  const blocked = palette.getByRole("option", { name: /Cancel this run/ });
  await blocked.getByText("The run has ended").waitFor();
  expect(await blocked.getAttribute("aria-disabled")).toBe("true");
  await page.keyboard.press("Enter");
  await leave(palette);
  // The arrows choose.
  await find("show this run");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await palette.locator("[aria-selected=true]", { hasText: "Show changes of this run" }).waitFor();
  await page.keyboard.press("Enter");
  await page.waitForURL("**/runs/n1/timeline?dock=changes");
  await find("run workflow hello");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/workflows/hello/run");
  await leave(page.getByRole("dialog", { name: /^Run / }));
  await find("run n1");
  await palette.getByRole("option", { name: /Open run n1 of nightly, failed/ }).click();
  await page.waitForURL("**/runs/n1/timeline");
  await find("none of this");
  await palette.getByText("Nothing has that name.").last().waitFor();
  await leave(palette);
  await find("theme: dark");
  await page.keyboard.press("Enter");
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  expect(await background()).toBe("rgb(14, 17, 22)");
  // It is stored.
  await page.reload();
  await page.locator("h1").waitFor();
  expect(await background()).toBe("rgb(14, 17, 22)");
});

test("settings: what the server tells, and what a person chooses in this browser", async () => {
  const server = await studio({ hello: HELLO, slow: SLOW });
  const { page, goto } = await tab(server, { timezoneId: "Asia/Tokyo" });
  await server.run("hello", "h1");
  await server.until("h1", "completed");
  await server.run("slow", "s1");
  await server.until("s1", "running");
  await goto("/workflows");
  await page.keyboard.press("g");
  await page.keyboard.press("s");
  await page.waitForURL("**/settings/appearance");
  await page.getByRole("group", { name: "Times" }).getByText("Asia/Tokyo").waitFor();
  const { run } = await server.client.call("workflow:runs:get", { runId: "h1" });
  const utc = new Date(run.createdAt).toISOString().slice(11, 19);
  const time = () => page.locator('[data-name="Started"] time').last().getAttribute("title");
  await page.getByLabel("UTC").check();
  await page.getByLabel("Compact").check();
  await page.getByRole("link", { name: "Runs" }).click();
  await page.locator("[data-row]").first().waitFor();
  expect(await time()).toContain(`${utc} +00:00`);
  expect((await page.locator("[data-row]").first().boundingBox())?.height).toBeLessThan(32);
  await goto("/settings/stores");
  await page.getByRole("row", { name: "Completed 1" }).getByRole("link").click();
  await page.waitForURL("**/runs?status=completed");
  await goto("/settings/workers");
  await page.getByRole("table", { name: "Processes" }).getByRole("link", { name: "s1" }).waitFor();
  await page.getByRole("link", { name: "Doctor" }).click();
  await page.getByText("2 workflows").waitFor();
  await page.getByText(/^as of/).waitFor();
  await goto("/settings/none");
  await page.getByText("There are no settings none.").waitFor();
  await page.waitForURL("**/settings/appearance");
  server.touch("go");
});

test("keys: single ones can be turned off, those with Ctrl stay", async () => {
  const server = await studio({ hello: HELLO });
  const { page, goto } = await tab(server);
  await goto("/settings/keys");
  await page.getByLabel(/^Single keys/).uncheck();
  await page.locator("main").focus();
  for (const key of ["?", "g", "r", "/"]) await page.keyboard.press(key);
  expect(await page.getByRole("dialog").count()).toBe(0);
  expect(new URL(page.url()).pathname).toBe("/settings/keys");
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox").waitFor();
  await page.keyboard.type("go to workflows");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/workflows");
  await page.locator("[data-row]").first().waitFor();
  await page.keyboard.press("j");
  expect(await focused(page)).not.toBe("Hello");
  await goto("/settings/keys");
  await page.getByLabel(/^Single keys/).check();
  await goto("/workflows");
  await page.locator("[data-row]").first().waitFor();
  await page.keyboard.press("j");
  expect(await focused(page)).toBe("Hello");
});

/** As a browser with notifications, which are noted. */
function noteNotifications(): void {
  const noted: string[] = [];
  function note(title: string, options: { body: string }): void {
    noted.push(`${title}: ${options.body}`);
  }
  const granted = "granted";
  Object.assign(note, { permission: granted, requestPermission: () => Promise.resolve(granted) });
  Object.assign(window, { Notification: note, noted });
}

/** As when another tab is shown. */
function hide(state: "hidden" | "visible"): void {
  Object.defineProperty(document, "visibilityState", { configurable: true, value: state });
  document.dispatchEvent(new Event("visibilitychange"));
}

test("hidden: one page keeps the count in its title, and tells what waits", async () => {
  const server = await studio({ ship: SHIP });
  const { page, goto } = await tab(server);
  const other = await page.context().newPage();
  const pages = [page, other];
  for (const each of pages) await each.addInitScript(noteNotifications);
  await goto("/settings/keys");
  await page.getByLabel(/^Notifications/).check();
  await goto("/workflows");
  await other.goto(`${server.origin}/workflows`);
  for (const each of pages) {
    await each.locator("[data-row]").first().waitFor();
    await each.evaluate(hide, "hidden" as const);
  }
  const locks = () =>
    page.evaluate(async () => {
      const { held = [], pending = [] } = await navigator.locks.query();
      const of = (all: LockInfo[], name: string) => all.filter((lock) => lock.name?.startsWith(name)).length;
      return [
        of(held, "workflow-studio-hidden"),
        of(pending, "workflow-studio-hidden"),
        of(held, "workflow-studio-stream"),
      ];
    });
  // Of two pages that are hidden one has a stream.
  await eventually("one stream", async () => JSON.stringify(await locks()) === "[1,1,1]");
  await server.run("ship", "s1");
  await server.until("s1", "paused");
  const titles = () => Promise.all(pages.map((each) => each.title()));
  await eventually("the count in a title", async () => (await titles()).some((title) => title.startsWith("(1) ")));
  const noted = () =>
    Promise.all(pages.map((each) => each.evaluate(() => (window as unknown as { noted: string[] }).noted)));
  await eventually("a notification", async () => (await noted()).flat().length > 0);
  expect((await noted()).flat()).toEqual(["ship waits for you: Ship a plan of 3 steps?"]);
  // Shown again, each has the count.
  for (const each of pages) {
    await each.bringToFront();
    await each.evaluate(hide, "visible" as const);
    await eventually("the count", async () => (await each.title()).startsWith("(1) "));
  }
  await eventually("two streams", async () => JSON.stringify(await locks()) === "[0,0,2]");
  await other.close();
});
