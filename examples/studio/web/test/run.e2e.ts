import { readFileSync } from "node:fs";

import { expect, test } from "vitest";

import { eventually } from "./studio.ts";
import { studio, tab } from "./setup.ts";
import { DEPLOY, NESTED, NIGHTLY, ONCE, SHIP, SLOW, TICKS, WRITES } from "./workflows.ts";

test("pause: it is requested until the run is paused, and Resume continues it", async () => {
  const server = await studio({ slow: SLOW });
  const { page, goto } = await tab(server);
  await server.run("slow", "r1");
  await goto("/runs/r1/timeline");
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByText("pause requested", { exact: true }).waitFor();
  expect(await page.locator(".run-title .status").textContent()).toBe("Running");
  server.touch("go");
  await page.locator(".run-title .status", { hasText: "Paused" }).waitFor();
  await page.getByText("Resume continues it.").waitFor();
  await page.getByRole("button", { name: "Resume" }).click();
  await page.locator(".run-title .status", { hasText: "Completed" }).waitFor();
  const { run } = await server.client.call("workflow:runs:get", { runId: "r1" });
  expect(run.status).toBe("completed");
});

test("signal: a run that waits for one names it, and continues when it is sent from the page", async () => {
  const server = await studio(DEPLOY);
  const { page, goto } = await tab(server);
  await server.run("deploy", "r1");
  await goto("/runs/r1/timeline");
  await page.getByText("A node waits for the signal deploy.done.").waitFor();
  await page.locator(".run-title .status", { hasText: "Waiting" }).waitFor();
  await server.run("deploy", "r2");
  await goto("/runs/r2/timeline");
  await page.getByText("waits until r1 has ended").waitFor();
  await page.getByRole("link", { name: "r1", exact: true }).click();
  await page.getByRole("textbox", { name: "Data of the signal deploy.done" }).fill('{ "version": 2 }');
  await page.getByRole("button", { name: "Send deploy.done" }).click();
  await page.locator(".run-title .status", { hasText: "Completed" }).waitFor();
  const { run } = await server.client.call("workflow:runs:get", { runId: "r1" });
  expect(run.context.stages["tell"]?.output).toBe("version 2");
  await goto("/runs/r1/events");
  await page.getByText("signal deploy.done received by", { exact: false }).first().waitFor();
  await goto("/workflows/deploy/run");
  await page.getByText("While another run with the key “deploy” works, this one waits until it has ended.").waitFor();
});

test("cancel asks first, and shows the run as cancelled when it is", async () => {
  const server = await studio({ slow: SLOW });
  const { page, goto } = await tab(server);
  await server.run("slow", "r1");
  await goto("/runs/r1");
  const cancel = page.getByRole("button", { name: "Cancel" });
  await cancel.click();
  await page.getByRole("button", { name: "Keep it running" }).click();
  expect(await cancel.evaluate((button) => button === document.activeElement)).toBe(true);
  await cancel.click();
  await page.getByRole("button", { name: "Cancel the run" }).click();
  await page.locator(".run-title .status", { hasText: "Cancelled" }).waitFor();
  await server.until("r1", "cancelled");
});

test("cancel-no-process: a run that no process drives says so, and is resumed or cancelled here", async () => {
  const server = await studio({ slow: SLOW });
  const { page, goto, renew } = await tab(server);
  await server.run("slow", "r1");
  await server.until("r1", "running");
  await server.stop("SIGKILL");
  await server.open(["--no-worker"]);
  await renew();
  await goto("/runs/r1");
  await page.getByText("no process drives it").waitFor({ timeout: 40_000 });
  await page.getByRole("button", { name: "Resume here" }).waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Cancel the run" }).click();
  await page.locator(".run-title .status", { hasText: "Cancelled" }).waitFor();
});

test("rerun-node: a failed run says what happened, what was tried, and is rerun from there", async () => {
  const server = await studio({ nightly: NIGHTLY });
  const { page, goto } = await tab(server);
  await server.run("nightly", "r1");
  await server.until("r1", "failed");
  await goto("/runs/r1");
  const band = page.getByRole("region", { name: "Why the run failed" });
  await band.getByText("Permanent failure", { exact: true }).waitFor();
  await band.getByText("Tried 2 times").waitFor();
  await band.getByText("Temporary failure: connection reset by peer").waitFor();
  await band.getByRole("button", { name: "Rerun from what failed" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Rerun" }).click();
  await page.waitForURL((url) => !url.pathname.includes("/r1/"));
  await page.getByText("Forked from").waitFor();
  // The stage before it was not called again.
  expect(server.read("collected")).toBe("x\n");
  await page.locator(".facts").getByRole("link", { name: "r1" }).click();
  await page.getByText("Continued in").waitFor();
  await goto("/runs");
  await page.getByRole("row", { name: /r1/ }).getByText("continued in").waitFor();
});

test("attempt-logs: every attempt has its failure and its own log", async () => {
  const server = await studio({ nightly: NIGHTLY });
  const { page, goto } = await tab(server);
  await server.run("nightly", "r1");
  await server.until("r1", "failed");
  await goto("/runs/r1");
  await page.getByRole("button", { name: /^verify, failed, attempt 2/ }).click();
  const details = page.getByRole("complementary", { name: "Selection" });
  await details.getByRole("button", { name: "#1" }).click();
  await details.getByText("connection reset by peer").waitFor();
  await page.getByRole("button", { name: "Only verify, attempt 1" }).waitFor();
  const lines = page.locator(".log-line");
  await eventually("the log of one attempt", async () => {
    const texts = await lines.allTextContents();
    return (
      texts.length > 0 && texts.every((text) => text.includes("verify")) && !texts.some((text) => text.includes("#2"))
    );
  });
  expect(new URL(page.url()).search).toContain("attempt=1");
  await page.keyboard.press("Escape");
  await details.waitFor({ state: "detached" });
});

test("inbox-approve: with the evidence and the effect, and the next one has the focus", async () => {
  const server = await studio({ ship: SHIP });
  const { page, goto } = await tab(server);
  for (const run of ["r1", "r2"]) {
    await server.run("ship", run);
    await server.until(run, "paused");
  }
  await goto("/");
  await page.waitForURL("**/inbox");
  await page.getByText("Ship a plan of 3 steps?").first().waitFor();
  await page.getByText("Output of plan").waitFor();
  expect(await page.title()).toMatch(/^\(2\)/);
  await page.getByLabel("Comment").fill("looks right");
  await page.getByRole("button", { name: "Approve, start ship" }).click();
  await server.until("r1", "completed");
  await page.locator('[data-item^="r1"]').waitFor({ state: "detached" });
  await eventually("the focus of the next one", () =>
    page.evaluate(() => document.activeElement?.getAttribute("data-item")?.startsWith("r2") ?? false),
  );
  await page.getByRole("button", { name: "Reject, run fails" }).click();
  await server.until("r2", "failed");
  await page.getByText("Nothing waits for you.").waitFor();
});

test("answered-elsewhere: an answer that came from another place is shown, and not given again", async () => {
  const server = await studio({ ship: SHIP });
  const { page, goto } = await tab(server);
  await server.run("ship", "r1");
  await server.until("r1", "paused");
  await goto("/runs/r1");
  await page.getByRole("button", { name: "Approve, start ship" }).waitFor();
  const { run } = await server.client.call("workflow:runs:get", { runId: "r1" });
  await server.client.call("workflow:runs:answer", { runId: "r1", wait: run.waits?.[0]?.number ?? 0, value: true });
  await page.locator(".run-title .status", { hasText: "Completed" }).waitFor();
  expect(await page.getByRole("button", { name: "Approve, start ship" }).count()).toBe(0);
});

test("reconnect-no-gap: after a lost connection the log has every line once", async () => {
  const server = await studio({ ticks: TICKS });
  const { page, goto } = await tab(server);
  await server.run("ticks", "r1");
  await goto("/runs/r1");
  await page.getByText("tick 5.", { exact: true }).waitFor();
  await page.context().setOffline(true);
  await page.getByText("The server cannot be reached.").waitFor();
  await page.getByText("Offline").first().waitFor();
  const before = await page.locator(".log-total").textContent();
  await eventually("more lines on the server", async () => {
    const { total } = await server.client.call("workflow:runs:logs", { runId: "r1", counted: true, limit: 1 });
    return (total ?? 0) > Number(before?.replace(/\D/g, "")) + 30;
  });
  await page.context().setOffline(false);
  await page.getByText("The server cannot be reached.").waitFor({ state: "detached" });
  server.touch("stop");
  await page.locator(".run-title .status", { hasText: "Completed" }).waitFor();
  const { total, entries } = await server.client.call("workflow:runs:logs", {
    runId: "r1",
    counted: true,
    limit: 5_000,
  });
  expect(entries).toHaveLength(total ?? 0);
  const { events } = await server.client.call("workflow:runs:events", { runId: "r1" });
  const shown = `${(total ?? 0) + events.length} lines`;
  await eventually(shown, async () => (await page.locator(".log-total").textContent())?.replace(",", "") === shown);
});

/** Injected into the page: records the run's status, and any notice that it may be outdated, whenever the page changes. */
function noteStates(): void {
  let last = "";
  const look = () => {
    const status = document.querySelector(".run-title .status")?.textContent;
    if (status === undefined || status === null) return;
    const state = `${status} ${document.querySelector(".shell.is-offline") === null ? "now" : "old"}`;
    if (state === last) return;
    last = state;
    (window as unknown as { noteState: (state: string) => void }).noteState(state);
  };
  new MutationObserver(look).observe(document, {
    subtree: true,
    childList: true,
    characterData: true,
    attributes: true,
  });
}

test("server-restart: a page that is open shows nothing false while the server is killed and started again", async () => {
  const server = await studio({ slow: SLOW });
  const { page, goto, renew } = await tab(server);
  await server.run("slow", "r1");
  await goto("/runs/r1");
  await page.locator(".run-title .status", { hasText: "Running" }).waitFor();
  // Notes what the page says at each change of it: the status of the run, and whether it says that it may be old.
  const states: string[] = [];
  await page.exposeFunction("noteState", (state: string) => states.push(state));
  await page.addInitScript(noteStates);
  await page.evaluate(noteStates);
  await server.stop("SIGKILL");
  await page.getByText("The server cannot be reached.").waitFor();
  await page.getByText(/This is as of \d\d:\d\d:\d\d/).waitFor();
  expect(await page.locator(".run-title .status").textContent()).toBe("Running");
  // The run ends without the page, which is still open when the server is back with another token.
  server.touch("go");
  await server.open();
  await server.until("r1", "completed");
  await page.getByText("This page has no valid token").waitFor();
  await renew();
  await page.locator(".run-title .status", { hasText: "Completed" }).waitFor();
  expect(await page.getByText("The server cannot be reached.").count()).toBe(0);
  // From the kill on the page says "Running" only below the time at which it was true.
  expect(states).toContain("Running old");
  const afterwards = states.slice(states.indexOf("Running old"));
  expect(afterwards).not.toContain("Running now");
  expect(afterwards.at(-1)).toBe("Completed now");
});

test("offline-disables: controls say why they are off, and queue nothing", async () => {
  const server = await studio({ slow: SLOW });
  const { page, goto } = await tab(server);
  await server.run("slow", "r1");
  await goto("/runs/r1");
  await page.getByRole("button", { name: "Pause" }).waitFor();
  await page.context().setOffline(true);
  await page.getByText(/This is as of \d\d:\d\d:\d\d/).waitFor();
  const pause = page.getByRole("button", { name: "Pause" });
  expect(await pause.getAttribute("aria-disabled")).toBe("true");
  expect(await pause.getAttribute("title")).toBe("The server cannot be reached");
  await pause.click({ force: true });
  await page.context().setOffline(false);
  await page.getByText(/This is as of/).waitFor({ state: "detached" });
  server.touch("go");
  await server.until("r1", "completed");
  const { events } = await server.client.call("workflow:runs:events", { runId: "r1" });
  expect(events.filter((event) => event.type === "pause_requested")).toEqual([]);
});

test("fork-edited: a run continues as a new one with other variables, or with another output of a stage", async () => {
  const server = await studio({
    nightly: NIGHTLY.replace("stages: [collect, verify, publish]", "stages: [collect, verify]"),
  });
  const { page, goto } = await tab(server);
  await server.run("nightly", "r1", { goal: "all", depth: 3 });
  await server.until("r1", "failed");
  await goto("/runs/r1");
  await page.getByRole("button", { name: "Fork with changes" }).click();
  const dialog = page.getByRole("dialog", { name: "Fork r1" });
  expect(await dialog.getByLabel("Continue from").inputValue()).toBe("verify");
  await dialog.getByLabel("depth").fill("{");
  await dialog.getByText("Write a JSON value, as it was.").waitFor();
  await dialog.getByLabel("depth").fill("4");
  await dialog.getByRole("textbox", { name: "collect" }).fill("edited");
  await dialog.getByRole("button", { name: "Fork", exact: true }).click();
  await page.waitForURL((url) => !url.pathname.includes("/r1/"));
  await page.getByText("Forked from").waitFor();
  const runId = decodeURIComponent(new URL(page.url()).pathname.split("/")[2] ?? "");
  await server.until(runId, "failed");
  const { run } = await server.client.call("workflow:runs:get", { runId });
  expect(run.context.vars).toEqual({ goal: "all", depth: 4 });
  expect(run.context.stages["collect"]?.output).toBe("edited");
  // The stage whose output was edited was not run again.
  expect(server.read("collected")).toBe("x\n");
});

test("unknown-outcome: after a crash in a call a person says whether it happened, or has it made again", async () => {
  const server = await studio({ once: ONCE });
  const { page, goto, renew } = await tab(server);
  for (const run of ["r1", "r2"]) {
    await server.run("once", run);
    await eventually(`the call of ${run}`, () => server.has(run));
  }
  await server.stop("SIGKILL");
  await server.open();
  await renew();
  for (const run of ["r1", "r2"]) await server.until(run, "paused");
  await goto("/runs/r1");
  await page.getByText("Waiting: unknown outcome").first().waitFor();
  await page.getByRole("button", { name: "It happened, use the result" }).waitFor();
  await page.getByRole("textbox", { name: "Result" }).fill("paid");
  await page.getByRole("button", { name: "It happened, use the result" }).click();
  await page.locator(".run-title .status", { hasText: "Completed" }).waitFor();
  const { run } = await server.client.call("workflow:runs:get", { runId: "r1" });
  expect(run.context.stages["pay"]?.output).toBe("paid");
  server.touch("go");
  await goto("/runs/r2");
  await page.getByRole("button", { name: "It did not happen, run again" }).click();
  await page.locator(".run-title .status", { hasText: "Completed" }).waitFor();
});

test("changes: the files that a run has committed, by the nodes that did, with their diff", async () => {
  const server = await studio({ writes: WRITES, ship: SHIP });
  server.repository();
  const { page, goto } = await tab(server);
  await server.client.start({ id: "writes", runId: "r1", isolated: true });
  await server.until("r1", "failed");
  await goto("/runs/r1?dock=changes");
  const panel = page.getByRole("region", { name: "Changes" });
  await panel.getByText("2 files in 2 commits on the branch").waitFor();
  const head = panel.getByRole("columnheader");
  await head.filter({ hasText: "1/first[0]/run" }).waitFor();
  await head.filter({ hasText: "1/second[0]/run" }).getByText("failed").waitFor();
  const row = panel.getByRole("row", { name: /^long.txt/ });
  await row.getByText("+700 −0").waitFor();
  expect(await row.getByText("changed").count()).toBe(1);
  // Long diffs are folded.
  const long = panel.getByRole("region", { name: "Diff of long.txt" });
  expect(await long.locator(".diff-line").count()).toBe(500);
  await long.getByRole("button", { name: "Show 201 more lines of 701" }).click();
  expect(await long.locator(".diff-line").count()).toBe(701);
  const read = panel.getByRole("region", { name: "Diff of read.txt" });
  await panel.getByRole("button", { name: "Side by side" }).click();
  expect(await read.locator(".diff-pair").allTextContents()).toEqual(["1−old1+new"]);
  const patch = page.waitForEvent("download");
  await panel.getByRole("button", { name: "Patch" }).click();
  expect(readFileSync(await (await patch).path(), "utf8")).toContain("+++ b/long.txt");
  await server.run("ship", "s1");
  await goto("/runs/s1?dock=changes");
  await page.getByText("This run has no worktree of its own").waitFor();
});

test("events: each has an address, which shows all of its values", async () => {
  const server = await studio({ nightly: NIGHTLY });
  const { page, goto } = await tab(server);
  await server.run("nightly", "r1", { text: "x".repeat(9_000) });
  await server.until("r1", "failed");
  const { events } = await server.client.call("workflow:runs:events", { runId: "r1" });
  const failed = events.findLast((event) => event.type === "attempt_failed")?.seq ?? 0;
  await goto(`/runs/r1/timeline?dock=events&event=${failed}`);
  const panel = page.getByRole("region", { name: "Events" });
  const row = panel.getByRole("row").filter({ hasText: "the checksum does not match" }).first();
  await row.getByText('"type": "attempt_failed"').waitFor();
  expect(await panel.getByRole("table").getAttribute("aria-rowcount")).toBe(String(events.length));
  // The first one is larger than what the stream sends of it.
  await panel.getByRole("link", { name: "Event 1, open" }).click();
  await panel.getByText("x".repeat(9_000)).waitFor();
  await page.waitForURL("**/runs/r1/timeline?dock=events&event=1");
});

test("migrate: the page says what becomes different and what is in the way, and moves the run", async () => {
  const server = await studio({ ship: SHIP });
  const { page, goto } = await tab(server);
  await server.run("ship", "s1");
  await server.until("s1", "paused");
  await goto("/runs/s1?show=migrate");
  const dialog = page.getByRole("dialog", { name: "Migrate s1" });
  await dialog.getByText("The run follows the current definition already.").waitFor();
  await page.keyboard.press("Escape");
  server.write("ship", SHIP.replace("echo shipped", "echo sent"));
  await page.getByRole("button", { name: "More", exact: true }).click();
  await page.getByRole("button", { name: "Migrate to the current definition" }).click();
  await dialog.getByRole("region", { name: "Differences" }).getByRole("listitem").first().waitFor();
  await dialog.getByRole("button", { name: "Migrate" }).click();
  await page.getByText("Moved s1 to the current definition").waitFor();
  await page.getByRole("button", { name: "Approve, start ship" }).click();
  await server.until("s1", "completed");
  const { run } = await server.client.call("workflow:runs:get", { runId: "s1" });
  expect(run.context.stages["ship"]?.output).toBe("sent");
  // It has ended, and is deleted.
  await goto("/runs/s1?show=delete");
  await page.getByRole("button", { name: "Delete s1" }).click();
  await page.getByText("Deleted s1").waitFor();
  await page.waitForURL("**/runs");
  const { runs } = await server.client.call("workflow:runs:list", {});
  expect(runs).toEqual([]);
});

test("child: a node leads to the run that it has started, that leads back, and its cost is the node's", async () => {
  const server = await studio(NESTED);
  const { page, goto } = await tab(server);
  await server.run("outer", "r1");
  const path = "1/work[0]/inner";
  await goto(`/runs/r1/timeline?at=${encodeURIComponent(path)}`);
  const selection = page.getByRole("complementary", { name: "Selection" });
  const link = selection.getByRole("link");
  const child = (await link.textContent()) ?? "";
  const { runs } = await server.client.call("workflow:runs:list", { parent: "r1" });
  expect(runs.map((run) => [run.runId, run.workflowId])).toEqual([[child, "ship"]]);
  await link.click();
  await page.waitForURL((url) => url.pathname === `/runs/${child}/timeline`);
  await page.getByText("Ship a plan of 3 steps?").first().waitFor();
  await server.until(child, "paused");
  const asked = await server.client.call("workflow:runs:get", { runId: child });
  const wait = asked.run.waits?.[0]?.number ?? 0;
  await server.client.call("workflow:runs:answer", { runId: child, wait, value: true });
  await page.locator(".run-title .status", { hasText: "Completed" }).waitFor();
  await page.getByRole("link", { name: `${path} of r1` }).click();
  await page.waitForURL((url) => url.pathname === "/runs/r1/timeline");
  await page.locator(".run-title .status", { hasText: "Completed" }).waitFor();
  const { run } = await server.client.call("workflow:runs:get", { runId: "r1" });
  expect([run.spent.attempts, run.spent.costUsd, run.context.stages["work"]?.spent.costUsd]).toEqual([
    2, 0.0042, 0.0042,
  ]);
  const figure = selection.locator("dt", { hasText: "Cost" }).locator("+ dd");
  expect(await figure.textContent()).toContain("0.0042");
});
