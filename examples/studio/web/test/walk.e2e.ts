import { readFileSync } from "node:fs";

import type { Page } from "playwright-core";
import { expect, test } from "vitest";

import { studio, tab } from "./setup.ts";

/** How a person gets at a control: with the mouse, or with the keyboard alone. */
interface Hand {
  press(page: Page, role: "button" | "link", name: string | RegExp): Promise<void>;
  write(page: Page, label: string, text: string): Promise<void>;
}

/** What can be used: the dialog, if one is open. */
const usable = async (page: Page) => {
  const dialog = page.locator("dialog[open]");
  return (await dialog.count()) > 0 ? dialog : page.locator("body");
};

const MOUSE: Hand = {
  press: async (page, role, name) => {
    const control = (await usable(page)).getByRole(role, { name, exact: typeof name === "string" });
    await control.first().click();
  },
  write: (page, label, text) => page.getByLabel(label, { exact: true }).fill(text),
};

/** Tab, until the element has the focus. */
async function reach(page: Page, wanted: ReturnType<Page["getByRole"]>): Promise<void> {
  await wanted.waitFor();
  for (let presses = 0; presses < 80; presses += 1) {
    if (await wanted.evaluate((element) => element === document.activeElement)) return;
    // In the text of the editor, Tab indents unless Escape comes before it.
    if (await page.evaluate(() => (document.activeElement?.shadowRoot ?? null) !== null))
      await page.keyboard.press("Escape");
    await page.keyboard.press("Tab");
  }
  throw new Error(`80 times Tab do not reach ${wanted}`);
}

const KEYBOARD: Hand = {
  press: async (page, role, name) => {
    const control = (await usable(page)).getByRole(role, { name, exact: typeof name === "string" });
    await reach(page, control.first());
    await page.keyboard.press("Enter");
  },
  write: async (page, label, text) => {
    await reach(page, page.getByLabel(label, { exact: true }));
    await page.keyboard.press("Control+a");
    await page.keyboard.type(text);
  },
};

const status = (page: Page, text: string) => page.locator(".run-title .status", { hasText: text }).waitFor();

test.each([
  ["mouse", MOUSE],
  ["keyboard", KEYBOARD],
] as const)(
  "walk: a workflow of a template is edited, run, approved, fails, and is rerun, with the %s",
  async (_, { press, write }) => {
    const server = await studio();
    const { page, goto } = await tab(server);
    await goto("/");
    await press(page, "button", "Use Single stage");
    await page.getByRole("dialog", { name: "Run Single stage" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });

    // Its only stage asks before it starts.
    await press(page, "link", "Single stage");
    await page.getByText("No problems").waitFor();
    await write(page, "Approval", "Shall it start?");
    await press(page, "button", "Save");
    await page.getByText("Saved single-stage").waitFor();
    await press(page, "link", "Run");
    await write(page, "goal", "say hello");
    await page.keyboard.press("Control+Enter");
    await page.getByText("Shall it start?").first().waitFor();
    await press(page, "button", /^Approve/);
    await status(page, "Completed");

    // Its report says what it did, and who approved it.
    await press(page, "button", "More");
    await press(page, "button", "Report");
    const report = page.getByRole("dialog", { name: /^Report of/ });
    await report
      .getByRole("region", { name: "Questions" })
      .getByText(/^Approved, by ann/)
      .waitFor();
    const file = page.waitForEvent("download");
    await press(page, "button", "HTML");
    expect(readFileSync(await (await file).path(), "utf8")).toContain("Shall it start?");
    await page.keyboard.press("Escape");
    await report.waitFor({ state: "detached" });

    // Another one fails: the page says why, and reruns it from there.
    server.write(
      "fails",
      `
workflow: { name: Fails, stages: [build, verify] }
build: { provider: command, with: { command: [sh, -c, "echo x >>builds; echo built"] } }
verify: { provider: command, with: { command: [sh, -c, "test -e fixed || { echo no file >&2; exit 3; }"] } }
`,
    );
    await goto("/workflows");
    await press(page, "link", "Run Fails");
    await page
      .getByRole("dialog", { name: "Run Fails" })
      .getByText(/^Ready/)
      .waitFor();
    await page.keyboard.press("Control+Enter");
    await status(page, "Failed");
    await page.getByRole("region", { name: "Why the run failed" }).getByText(/exit/).first().waitFor();
    server.touch("fixed");
    await press(page, "button", "Rerun from what failed");
    await page.getByRole("dialog", { name: /^Rerun/ }).waitFor();
    await press(page, "button", "Rerun");
    await status(page, "Completed");
    expect(server.read("builds")).toBe("x\n");
  },
);

test.each([
  ["mouse", MOUSE],
  ["keyboard", KEYBOARD],
] as const)("walk: a run that failed is forked with another variable, with the %s", async (_, { press, write }) => {
  const server = await studio({
    check: `
workflow: { name: Check, stages: [build, verify] }
build: { provider: command, with: { command: [sh, -c, "echo x >>builds; echo built"] } }
verify: { provider: command, with: { command: [test, "\${vars.limit}", "=", "5"] } }
`,
  });
  const { page, goto } = await tab(server);
  await server.run("check", "r1", { limit: "4" });
  await server.until("r1", "failed");
  await goto("/runs");
  await press(page, "link", "r1");
  await status(page, "Failed");
  await page.getByRole("region", { name: "Why the run failed" }).waitFor();
  await press(page, "button", "Fork with changes");
  await page.getByRole("dialog", { name: "Fork r1" }).waitFor();
  await write(page, "limit", "5");
  await press(page, "button", "Fork");
  await page.waitForURL((url) => !url.pathname.includes("/r1/"));
  await status(page, "Completed");
  expect(server.read("builds")).toBe("x\n");
  // The focus is on the page that was opened, not lost with the dialog.
  await press(page, "link", "r1");
  await page.waitForURL("**/runs/r1/timeline");
});
