import type { Locator, Page } from "playwright-core";
import { expect, test } from "vitest";

import { eventually } from "./studio.ts";
import { studio, studioOfFiles, tab } from "./setup.ts";
import { HOSTILE, LINES, LONG, TICKS } from "./workflows.ts";

test("hostile-log: texts stay texts, and nothing of them acts", async () => {
  const server = await studio({ hostile: HOSTILE });
  const { page, goto } = await tab(server);
  await server.run("hostile", "r1");
  await server.until("r1", "completed");
  await goto("/workflows");
  await page.getByText("Hostile <b>name</b>").waitFor();
  await goto("/runs/r1");
  await page.locator(".log-text .ansi-1", { hasText: "red" }).waitFor();
  const texts = await page.locator(".log-line .log-kind:text-is('out') + .log-text").allTextContents();
  expect(texts).toEqual(["<img src=x onerror=alert(1)>", "title", "cleared", "\\u{202E}reversed", "link", "red"]);
  expect(await page.locator(".log-text .ansi-1").textContent()).toBe("red");
  expect(await page.locator("img, .log-text a, b").count()).toBe(0);
  expect(await page.title()).toContain("r1");
});

test("csp-clean: the policy forbids everything but the page's own files, and is not violated", async () => {
  const server = await studio({ hostile: HOSTILE });
  const answer = await fetch(`${server.origin}/runs/x`);
  expect(answer.headers.get("content-security-policy")).toMatch(
    /default-src 'none'.*script-src 'self'.*frame-ancestors 'none'.*require-trusted-types-for 'script'/,
  );
  expect(answer.headers.get("set-cookie")).toBeNull();
  expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
  const { page, problems, goto } = await tab(server);
  for (const path of ["/workflows", "/workflows/hostile/run", "/runs", "/inbox"]) await goto(path);
  expect(problems).toEqual([]);
  expect(await page.context().cookies()).toEqual([]);
  // The token has left the address.
  expect(page.url()).not.toContain(server.token);
  const result = await page.evaluate(() => {
    try {
      // eslint-disable-next-line no-restricted-syntax
      document.body.insertAdjacentHTML("beforeend", "<p>x</p>");
      return "inserted";
    } catch {
      return "refused";
    }
  });
  expect(result).toBe("refused");
  problems.length = 0;
});

test("rebinding-403: another name of the address reaches neither the page nor the interface", async () => {
  const server = await studio();
  const { request } = await import("node:http");
  const status = (path: string, headers: Record<string, string>) =>
    new Promise((resolve, reject) => {
      const url = new URL(path, server.origin);
      request(url, { headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on("error", reject)
        .end();
    });
  const authorization = `Bearer ${server.token}`;
  expect(await status("/runs", { host: "evil.example" })).toBe(403);
  expect(await status("/studio.js", { host: "evil.example" })).toBe(403);
  expect(await status("/api/v1/stream", { host: "evil.example", authorization })).toBe(403);
  expect(await status("/api/v1/stream", { origin: "http://evil.example", authorization })).toBe(403);
  expect(await status("/runs", {})).toBe(200);
  expect(await status("/api/v1/none", {})).not.toBe(200);
});

test("a page without the token says what to do, and shows nothing", async () => {
  const server = await studio({ hostile: HOSTILE });
  const { page } = await tab(server);
  await page.evaluate(() => localStorage.clear());
  await page.goto(`${server.origin}/workflows`);
  await page.getByText("This page has no valid token").waitFor();
  expect(await page.getByText("Hostile").count()).toBe(0);
});

test("log search: the total is exact, also for lines that are not loaded", async () => {
  const server = await studio({ lines: LINES });
  const { page, goto } = await tab(server);
  await server.run("lines", "r1", { lines: 20_000 });
  await server.until("r1", "completed");
  await goto("/runs/r1");
  const found = await server.client.call("workflow:runs:logs", { runId: "r1", text: "needle", counted: true });
  await page.keyboard.press("/");
  await page.keyboard.type("needle");
  await page.locator(".log-total", { hasText: new RegExp(`^${found.total} lines$`) }).waitFor();
  await page.locator("mark", { hasText: "Needle" }).first().waitFor();
  expect(new URL(page.url()).search).toBe("?q=needle");
  await goto("/runs/r1/timeline?q=needle&kind=stderr");
  await page.getByText("No line matches the filter.").waitFor();
});

/** Scrolls to a share of the whole height, and waits until the page has heard of it and is drawn again. */
async function scrollTo(lines: Locator, share: number): Promise<void> {
  await lines.evaluate(async (log, share) => {
    log.scrollTop = (log.scrollHeight - log.clientHeight) * share;
    for (let frame = 0; frame < 3; frame += 1) await new Promise((drawn) => requestAnimationFrame(drawn));
  }, share);
}

/** Waits until all lines in view are there, and returns the texts of those that are made. */
async function shownLines(page: Page): Promise<string[]> {
  await eventually("lines in view", async () => {
    const isBusy = (await page.locator(".log-lines[aria-busy=true], .log-missing").count()) > 0;
    return !isBusy && (await page.locator(".log-line").count()) > 0;
  });
  return page.locator(".log-line .log-text").allTextContents();
}

test(
  "log-1m-search: any of a million lines is shown, few are held, and a search counts exactly",
  { timeout: 240_000 },
  async () => {
    const { server, store } = await studioOfFiles({ lines: LINES });
    const { page, goto } = await tab(server);
    await server.run("lines", "r1", { lines: 1 });
    await server.until("r1", "completed");
    await store.writeLog("r1", 1_000_000, (number) => (number % 1_000 === 0 ? `Needle ${number}` : `line ${number}`));
    const found = await server.client.call("workflow:runs:logs", { runId: "r1", limit: 1, counted: true });
    await goto("/runs/r1");
    const lines = page.getByRole("log");
    await eventually("the end", async () => (await shownLines(page)).includes("run completed"));
    const { events } = await server.client.call("workflow:runs:events", { runId: "r1" });
    const total = (found.total ?? 0) + events.length;
    expect(await page.locator(".log-total").textContent()).toBe(`${total.toLocaleString("en")} lines`);
    // The bar is scaled, as no element can be as high as all lines.
    const height = await lines.evaluate((log) => log.scrollHeight);
    expect(height).toBeLessThanOrEqual(16_000_100);
    expect(height).toBeGreaterThan(15_000_000);
    const held = async () => Number(await lines.getAttribute("data-held"));
    const first = async () => Number((await shownLines(page))[0]?.replace(/\D/g, ""));
    for (let step = 0; step <= 50; step += 1) {
      await scrollTo(lines, step / 50);
      await shownLines(page);
      expect(await held()).toBeLessThanOrEqual(40);
      expect(await page.locator(".log-line").count()).toBeLessThan(150);
    }
    expect(await held()).toBeGreaterThan(30);
    await scrollTo(lines, 1 / 2);
    await eventually("the middle", async () => Math.abs((await first()) - 500_000) < 3_000);
    await lines.hover();
    const before = await first();
    await page.mouse.wheel(0, 200);
    await eventually("10 lines on", async () => (await first()) === before + 10);
    await lines.focus();
    await page.keyboard.press("Home");
    await eventually("the beginning", async () => (await shownLines(page)).includes("line 1"));
    // A line of the address is shown, wherever it is.
    await goto("/runs/r1/timeline?line=654321");
    await page.locator(".log-line.is-selected").waitFor();
    await goto("/runs/r1/timeline?q=needle");
    const needles = await server.client.call("workflow:runs:logs", {
      runId: "r1",
      text: "needle",
      limit: 1,
      counted: true,
    });
    expect(needles.total).toBeGreaterThan(0);
    await page.locator(".log-total", { hasText: `${needles.total?.toLocaleString("en")} lines` }).waitFor();
    await page.locator("mark", { hasText: "Needle" }).first().waitFor();
    // Of what is found as well any line is shown.
    await goto("/runs/r1/timeline?q=line");
    await scrollTo(lines, 1 / 3);
    const isFound = (text: string) => text.startsWith("line ");
    await eventually("only lines that were found", async () => (await shownLines(page)).every(isFound));
  },
);

test("wrapped lines have their own heights, and what is read stays where it is", async () => {
  const server = await studio({ lines: LONG });
  const { page, goto } = await tab(server);
  await server.run("lines", "r1");
  await server.until("r1", "completed");
  await goto("/runs/r1/timeline?line=1500");
  await page.locator(".log-line.is-selected").waitFor();
  await page.getByRole("button", { name: "Wrap" }).click();
  const lines = page.getByRole("log");
  // The first line in view, and how far below the top of the view it begins.
  const first = () =>
    lines.evaluate((log) => {
      const { top } = log.getBoundingClientRect();
      const all = [...log.querySelectorAll<HTMLElement>(".log-line")];
      const line = all.find((each) => each.getBoundingClientRect().bottom > top + 1);
      const box = line?.getBoundingClientRect();
      return { key: line?.dataset["key"], height: box?.height ?? 0 };
    });
  await eventually("wrapped lines", async () => (await first()).height > 60);
  const { key } = await first();
  const top = () => page.locator(`[data-key="${key}"]`).evaluate((line) => line.getBoundingClientRect().top);
  const from = await top();
  await lines.hover();
  await page.mouse.wheel(0, -120);
  await eventually("120 pixels down", async () => Math.abs((await top()) - from - 120) < 2);
});

test("a line of the address is loaded and shown, however far from the end", async () => {
  const server = await studio({ lines: LINES });
  const { page, goto } = await tab(server);
  await server.run("lines", "r1", { lines: 20_000 });
  await server.until("r1", "completed");
  await goto("/runs/r1/timeline?line=5000-5002");
  await page.locator(".log-line.is-selected", { hasText: "Needle 5000" }).waitFor();
  expect(await page.locator(".log-line.is-selected").count()).toBe(3);
  await page
    .locator(".log-line", { hasText: "line 5005" })
    .getByRole("button")
    .click({ modifiers: ["Shift"] });
  await page.waitForURL(/line=5000-5005/);
  expect(await page.locator(".log-line").count()).toBeLessThan(150);
});

test("follow-unstick: only a scroll upwards ends following, and the end begins it again", async () => {
  const server = await studio({ ticks: TICKS });
  const { page, goto } = await tab(server, { viewport: { width: 1440, height: 700 } });
  await server.run("ticks", "r1");
  await goto("/runs/r1");
  await page.getByText("tick 60.", { exact: true }).waitFor();
  const follow = page.getByRole("button", { name: "Follow" });
  const lines = page.getByRole("log");
  const distance = () => lines.evaluate((log) => log.scrollHeight - log.scrollTop - log.clientHeight);
  expect(await follow.getAttribute("aria-pressed")).toBe("true");
  await eventually("the end", async () => (await distance()) < 60);
  await lines.hover();
  await page.mouse.wheel(0, -400);
  await eventually("following ends", async () => (await follow.getAttribute("aria-pressed")) === "false");
  const topNow = () => lines.evaluate((log) => log.scrollTop);
  let top = await topNow();
  await eventually("the end of the scrolling", async () => {
    const before = top;
    return before === (top = await topNow());
  });
  const total = await page.locator(".log-total").textContent();
  await eventually("more lines", async () => (await page.locator(".log-total").textContent()) !== total);
  expect(await topNow()).toBe(top);
  await page.mouse.wheel(0, 100_000);
  await eventually("following begins again", async () => (await follow.getAttribute("aria-pressed")) === "true");
  server.touch("stop");
});
