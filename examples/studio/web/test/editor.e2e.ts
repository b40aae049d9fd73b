import { readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { studio, tab } from "./setup.ts";
import type { Studio } from "./studio.ts";
import { EDITED } from "./workflows.ts";

const stored = (server: Studio) => readFileSync(join(server.home, "workflows/release.workflow.yml"), "utf8");

test("form-keeps-comments: saving a stage changes its fields and no other byte", async () => {
  const server = await studio({ release: EDITED });
  const { page, goto } = await tab(server);
  await goto("/workflows");
  await page.getByRole("link", { name: "Release", exact: true }).click();
  await page.waitForURL("**/workflows/release");
  await page.getByLabel("Prompt").fill("Plan the release");
  await page.getByText("Not saved").waitFor();
  await page.getByRole("button", { name: "Save stage" }).click();
  await page.getByText("Saved release").waitFor();
  expect(stored(server)).toBe(EDITED.replace("Plan it #", "Plan the release #"));
  expect(await page.getByLabel("YAML of the workflow").inputValue()).toBe(stored(server));
  // A field that is added, by the keyboard alone.
  await page.getByRole("button", { name: "ship", exact: true }).focus();
  await page.keyboard.press("Enter");
  await page.waitForURL("**/workflows/release?stage=ship");
  await page.getByLabel("Approval").focus();
  await page.keyboard.type("Ship it?");
  await page.keyboard.press("Control+s");
  await page.getByText("Not saved").waitFor({ state: "detached" });
  expect(stored(server)).toContain('  approval: "Ship it?"\n');
  expect(stored(server)).toContain("# in this order");
});

test("yaml-to-form: the text shows what is wrong where, and is refused until it is right", async () => {
  const server = await studio({ release: EDITED });
  const { page, goto } = await tab(server);
  await goto("/workflows/release");
  await page.getByText("No problems").waitFor();
  const text = page.getByLabel("YAML of the workflow");
  await text.fill(EDITED.replace("provider: demo", "provider: demmo"));
  const problem = page.getByRole("region", { name: "Problems" }).getByRole("button").first();
  await problem.getByText("demmo").waitFor();
  await problem.click();
  const line = await text.evaluate((area) => {
    const { value, selectionStart } = area as HTMLTextAreaElement;
    return value.slice(0, selectionStart).split("\n").length;
  });
  expect(line).toBe(5);
  // The form waits for the text.
  expect(await page.getByRole("button", { name: /^Save stage/ }).getAttribute("title")).toBe(
    "Save or discard the text first",
  );
  await text.fill(EDITED.replace("Plan it", "Plan all of it"));
  await page.getByText("No problems").waitFor();
  await page.keyboard.press("Control+s");
  await page.getByText("Saved release").waitFor();
  await expect.poll(() => page.getByLabel("Prompt").inputValue()).toBe("Plan all of it");
});

test("two-tabs-409: a file that was changed elsewhere is not overwritten unless a person says so", async () => {
  const server = await studio({ release: EDITED });
  const { page, goto } = await tab(server);
  await goto("/workflows/release");
  const text = page.getByLabel("YAML of the workflow");
  await text.fill(EDITED.replace("Plan it", "Mine"));
  server.write("release", EDITED.replace("Plan it", "Theirs"));
  await page.getByRole("button", { name: "Save text" }).click();
  await page.getByText("The file was changed since this page read it.").waitFor();
  expect(stored(server)).toContain("Theirs");
  await page.getByRole("button", { name: "Take theirs" }).click();
  await expect.poll(() => text.inputValue()).toContain("Theirs");

  // Leaving asks first.
  await text.fill(EDITED.replace("Plan it", "Mine"));
  await page.getByRole("link", { name: "Runs", exact: true }).first().click();
  await page.getByRole("button", { name: "Stay" }).click();
  expect(await text.inputValue()).toContain("Mine");
  server.write("release", EDITED.replace("Plan it", "Theirs again"));
  await page.getByRole("button", { name: "Save text" }).click();
  await page.getByRole("button", { name: "Keep mine" }).click();
  await page.getByText("Saved release").waitFor();
  expect(stored(server)).toContain("Mine");
});

test("quick-fix: what the service offers for a problem is applied to the text, and can be saved", async () => {
  const server = await studio({ release: EDITED });
  const { page, goto } = await tab(server);
  await goto("/workflows/release");
  const text = page.getByLabel("YAML of the workflow");
  await text.fill(EDITED.replace("prompt: Plan it", "promt: Plan it"));
  await page
    .locator(".fixes")
    .getByRole("button", { name: /prompt/ })
    .click();
  await page.getByText("No problems").waitFor();
  expect(await text.inputValue()).toBe(EDITED);
});

test("unreadable-freezes: while the text cannot be read, the form says so and changes nothing", async () => {
  const server = await studio({ release: EDITED });
  const { page, goto } = await tab(server);
  await goto("/workflows/release");
  const text = page.getByLabel("YAML of the workflow");
  await text.fill(`${EDITED}\n  : [`);
  const problem = page.getByRole("region", { name: "Problems" }).getByRole("button").first();
  await problem.getByText(/line \d+/).waitFor();
  expect(await page.getByRole("button", { name: /^Save stage/ }).getAttribute("aria-disabled")).toBe("true");
  expect(await page.getByRole("button", { name: "Run" }).getAttribute("aria-disabled")).toBe("true");
  expect(stored(server)).toBe(EDITED);
});

test("draft-restored: what was typed and not saved is there again, and only if a person wants it", async () => {
  const server = await studio({ release: EDITED });
  const { page, goto } = await tab(server);
  await goto("/workflows/release");
  const text = page.getByLabel("YAML of the workflow");
  const mine = EDITED.replace("Plan it", "Plan more");
  await text.fill(mine);
  // The draft is kept a moment after the last key.
  const kept = () =>
    page.evaluate(
      () =>
        new Promise((resolve) => {
          const request = indexedDB.open("workflow-studio");
          request.onsuccess = () => {
            const get = request.result.transaction("drafts").objectStore("drafts").get("release");
            get.onsuccess = () => resolve((get.result as { text?: string } | undefined)?.text);
          };
        }),
    );
  await expect.poll(kept).toBe(mine);
  await goto("/workflows/release");
  expect(await text.inputValue()).toBe(EDITED);
  await page.getByText(/^Changes of \d\d:\d\d were not saved\./).waitFor();
  await page.getByRole("button", { name: "Restore them" }).click();
  expect(await text.inputValue()).toBe(mine);
  await page.getByRole("button", { name: "Save text" }).click();
  await page.getByText("Saved release").waitFor();
  expect(stored(server)).toBe(mine);
  await goto("/workflows/release");
  await page.getByText("No problems").waitFor();
  expect(await page.getByRole("button", { name: "Restore them" }).count()).toBe(0);
});

test("disk-conflict: a file that changes while it is open is shown anew, or compared with what was typed", async () => {
  const server = await studio({ release: EDITED });
  const { page, goto } = await tab(server);
  await goto("/workflows/release");
  const text = page.getByLabel("YAML of the workflow");
  // Nothing was typed: the page follows the file.
  server.write("release", EDITED.replace("Plan it", "Theirs"));
  await expect.poll(() => text.inputValue(), { timeout: 20_000 }).toContain("Theirs");
  await text.fill(EDITED.replace("Plan it", "Mine"));
  server.write("release", EDITED.replace("Plan it", "Theirs again"));
  await page.getByText("The file was changed since this page read it.").waitFor();
  expect(await text.inputValue()).toContain("Mine");
  await page.getByRole("button", { name: "Compare" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("-   prompt: Theirs again # short").waitFor();
  await dialog.getByText("+   prompt: Mine # short").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Take theirs" }).click();
  await expect.poll(() => text.inputValue()).toContain("Theirs again");
});
