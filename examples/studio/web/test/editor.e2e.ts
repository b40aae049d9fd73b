import { readFileSync } from "node:fs";
import { join } from "node:path";

import type { Page } from "playwright-core";
import { expect, test } from "vitest";

import { PHONE, WIDE } from "./browser.ts";
import { findings } from "./findings.ts";
import { studio, tab } from "./setup.ts";
import type { Studio } from "./studio.ts";
import { EDITED } from "./workflows.ts";

/** The text in the editor. */
const shown = (page: Page) =>
  page
    .locator(".cm-line")
    .allTextContents()
    .then((lines) => lines.join("\n"));

const stored = (server: Studio) => readFileSync(join(server.home, "workflows/release.workflow.yml"), "utf8");

test("form-keeps-comments: saving a stage changes its fields and no other byte", async () => {
  const server = await studio({ release: EDITED });
  const { page, goto } = await tab(server);
  await goto("/workflows");
  await page.getByRole("link", { name: "Release", exact: true }).click();
  await page.waitForURL("**/workflows/release");
  await page.getByLabel("Prompt").fill("Plan the release");
  await page.getByText("Not saved").waitFor();
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByText("Saved release").waitFor();
  expect(stored(server)).toBe(EDITED.replace("Plan it #", "Plan the release #"));
  expect(await shown(page)).toBe(stored(server));
  // A field that is added, by the keyboard alone.
  await page.getByRole("button", { name: "ship", exact: true }).focus();
  await page.keyboard.press("Enter");
  await page.waitForURL("**/workflows/release?field=ship");
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
  await page.waitForURL(/line=5/);
  await text.fill(EDITED.replace("provider: demo", "provider: demmo").replace("Plan it", "Plan some"));
  // The form follows the text.
  await expect.poll(() => page.getByLabel("Prompt").inputValue()).toBe("Plan some");
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
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByText("The file was changed since this page read it.").waitFor();
  expect(stored(server)).toContain("Theirs");
  await page.getByRole("button", { name: "Take theirs" }).click();
  await expect.poll(() => shown(page)).toContain("Theirs");

  // Leaving asks first.
  await text.fill(EDITED.replace("Plan it", "Mine"));
  await page.getByRole("link", { name: "Runs", exact: true }).first().click();
  await page.getByRole("button", { name: "Stay" }).click();
  expect(await shown(page)).toContain("Mine");
  server.write("release", EDITED.replace("Plan it", "Theirs again"));
  await page.getByRole("button", { name: "Save", exact: true }).click();
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
  expect(await shown(page)).toBe(EDITED);
});

test("unreadable-freezes: while the text cannot be read, the form says so and changes nothing", async () => {
  const server = await studio({ release: EDITED });
  const { page, goto } = await tab(server);
  await goto("/workflows/release");
  const text = page.getByLabel("YAML of the workflow");
  await text.fill(`${EDITED}\n  : [`);
  const problem = page.getByRole("region", { name: "Problems" }).getByRole("button").first();
  await problem.getByText(/line \d+/).waitFor();
  await page.getByText(/^The text cannot be read in line \d+/).waitFor();
  expect(await page.getByLabel("Prompt").isDisabled()).toBe(true);
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
  await expect.poll(kept, { timeout: 20_000 }).toBe(mine);
  await goto("/workflows/release");
  expect(await shown(page)).toBe(EDITED);
  await page.getByText(/^Changes of \d\d:\d\d were not saved\./).waitFor();
  await page.getByRole("button", { name: "Restore them" }).click();
  expect(await shown(page)).toBe(mine);
  await page.getByRole("button", { name: "Save", exact: true }).click();
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
  await expect.poll(() => shown(page), { timeout: 20_000 }).toContain("Theirs");
  await text.fill(EDITED.replace("Plan it", "Mine"));
  server.write("release", EDITED.replace("Plan it", "Theirs again"));
  await page.getByText("The file was changed since this page read it.").waitFor();
  expect(await shown(page)).toContain("Mine");
  await page.getByRole("button", { name: "Compare" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("-   prompt: Theirs again # short").waitFor();
  await dialog.getByText("+   prompt: Mine # short").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Take theirs" }).click();
  await expect.poll(() => shown(page)).toContain("Theirs again");
});

test("one-history: form and text share one history, which Ctrl+Z goes back in from both", async () => {
  const server = await studio({ release: EDITED });
  const { page, goto } = await tab(server);
  await goto("/workflows/release");
  await page.getByText("No problems").waitFor();
  const prompt = page.getByLabel("Prompt");
  await prompt.fill("Plan more");
  await prompt.blur();
  const changed = EDITED.replace("Plan it", "Plan more");
  await expect.poll(() => shown(page)).toBe(changed);
  await page.getByLabel("On failure").selectOption("retry");
  await expect.poll(() => shown(page)).toContain("  on_failure: retry\n");
  // Retries are asked for with retry only.
  await page.getByLabel("Retries").fill("2");
  await page.getByLabel("Retries").press("Enter");
  await expect.poll(() => shown(page)).toContain("  retries: 2\n");
  await page.keyboard.press("Control+z");
  await page.keyboard.press("Control+z");
  await expect.poll(() => shown(page)).toBe(changed);
  await page.getByLabel("YAML of the workflow").focus();
  await page.keyboard.press("Control+z");
  await expect.poll(() => shown(page)).toBe(EDITED);
  await expect.poll(() => prompt.inputValue()).toBe("Plan it");
  await page.keyboard.press("Control+y");
  await expect.poll(() => shown(page)).toBe(changed);
  expect(stored(server)).toBe(EDITED);
});

test("problem-keys: F8 goes from problem to problem, and Ctrl+. corrects what the service can correct", async () => {
  const server = await studio({ release: EDITED });
  const { page, goto } = await tab(server);
  await goto("/workflows/release");
  const text = page.getByLabel("YAML of the workflow");
  await text.fill(EDITED.replace("provider: demo", "provider: demmo").replace("prompt:", "promt:"));
  await page.locator(".cm-lint-marker-error").first().waitFor();
  await page.getByRole("region", { name: "Problems" }).getByText("demmo").waitFor();
  // At the field as well.
  await page.getByText(/demmo/).and(page.locator(".field-error")).waitFor();
  await page.getByLabel("Approval").focus();
  await page.keyboard.press("Control+Home");
  await text.press("Control+Home");
  await page.keyboard.press("F8");
  await page.waitForURL(/line=5/);
  await page.keyboard.press("F8");
  await page.waitForURL(/line=6/);
  await page.keyboard.press("Shift+F8");
  await page.waitForURL(/line=5/);
  await page.keyboard.press("Control+.");
  await expect.poll(() => shown(page)).toContain("provider: demo\n");
  await page.getByRole("region", { name: "Problems" }).getByText("demmo").waitFor({ state: "detached" });
  await page.keyboard.press("F8");
  await page.waitForURL(/line=6/);
  // There are two fixes: a person chooses.
  await page.keyboard.press("Control+.");
  await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toMatch(/prompt/);
  await page.keyboard.press("Enter");
  await expect.poll(() => shown(page)).toBe(EDITED);
  // Escape, then Tab leaves the text.
  await text.focus();
  await page.keyboard.press("Tab");
  expect(await shown(page)).not.toBe(EDITED);
  await page.keyboard.press("Control+z");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Tab");
  expect(await text.evaluate((element) => (element.getRootNode() as ShadowRoot).activeElement === element)).toBe(false);
});

test("errors-saved: a text with errors can be saved and not run; Ctrl+Enter saves and runs one without", async () => {
  const server = await studio({ release: EDITED });
  const { page, goto } = await tab(server);
  await goto("/workflows/release");
  const text = page.getByLabel("YAML of the workflow");
  await text.fill(EDITED.replace("provider: demo", "provider: demmo"));
  await page.getByRole("region", { name: "Problems" }).getByText("demmo").waitFor();
  await page.keyboard.press("Control+s");
  await page.getByText("Saved release").waitFor();
  expect(stored(server)).toContain("demmo");
  expect(await page.getByRole("button", { name: /^Run/ }).getAttribute("title")).toBe("It has errors");
  await text.fill(EDITED);
  await page.getByText("No problems").waitFor();
  await page.keyboard.press("Control+Enter");
  await page.getByRole("dialog", { name: "Run Release" }).waitFor();
  expect(stored(server)).toBe(EDITED);
});

test("editor-tabs: on a phone form, text, graph and problems are tabs, each with an address", async () => {
  const server = await studio({ release: EDITED });
  const { page, goto } = await tab(server, { viewport: PHONE });
  await goto("/workflows/release");
  const choose = (name: string | RegExp) => page.getByRole("tab", { name }).click();
  await page.getByLabel("Prompt").waitFor();
  expect(await page.getByLabel("YAML of the workflow").isVisible()).toBe(false);
  await choose("YAML");
  await page.waitForURL(/view=yaml/);
  await page.getByLabel("YAML of the workflow").fill(EDITED.replace("prompt:", "promt:"));
  await choose("Problems 1");
  await page.getByRole("region", { name: "Problems" }).getByRole("button").first().click();
  await page.waitForURL(/view=yaml.*line=6/);
  await page.keyboard.press("Control+.");
  await page.waitForURL(/view=problems/);
  await page.keyboard.press("Enter");
  await page.getByText("No problems").waitFor();
  await choose("Graph");
  await page.locator(".graph-box", { hasText: "ship" }).click();
  await page.waitForURL(/view=form.*field=ship/);
  await page.getByRole("group", { name: "Stage ship" }).waitFor();
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(PHONE.width);
  await goto("/workflows/release?view=form&field=ship.timeout");
  await expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute("data-path"))).toBe("ship.timeout");
});

test("stages: they are moved, added and removed in the form, and a loop is set, without a change elsewhere", async () => {
  const server = await studio({ release: EDITED });
  const { page, goto } = await tab(server);
  await goto("/workflows/release");
  await page.getByRole("button", { name: "Down" }).click();
  await expect.poll(() => shown(page)).toBe(EDITED.replace("[plan, ship]", "[ship, plan]"));
  await page.getByRole("button", { name: "Workflow", exact: true }).click();
  await page.getByLabel("Max iterations").fill("3");
  await page.getByLabel("Stop when").fill("$.done == true");
  await page.getByLabel("Stop when").blur();
  await expect.poll(() => shown(page)).toMatch(/loop: \{ max_iters: 3, stop_when: .*\$\.done == true/);
  await page.getByRole("button", { name: "+ Stage" }).click();
  await page.getByLabel("Id", { exact: true }).fill("review");
  await page.keyboard.press("Enter");
  await page.getByRole("group", { name: "Stage review" }).waitFor();
  await expect.poll(() => shown(page)).toContain("[ship, plan, review]");
  // The graph follows as soon as the text has no errors.
  await page.getByLabel("Provider").selectOption("demo");
  await page.locator(".graph-box", { hasText: "review" }).waitFor();
  await page.getByRole("button", { name: "Remove" }).click();
  await expect.poll(() => shown(page)).toContain("[ship, plan]");
  expect(await shown(page)).not.toContain("review");
});

test("editor-axe: no serious finding in the editor with problems and a search, in both themes and widths", async () => {
  const server = await studio({ release: EDITED });
  const found: string[] = [];
  for (const colorScheme of ["light", "dark"] as const) {
    for (const viewport of [WIDE, PHONE]) {
      const { page, goto, close } = await tab(server, { viewport, colorScheme, reducedMotion: "reduce" });
      const look = async (state: string) =>
        found.push(...(await findings(page)).map((each) => `${state} ${viewport.width} ${colorScheme}: ${each}`));
      await goto("/workflows/release?view=form");
      await page.getByLabel("Prompt").waitFor();
      await look("form");
      await goto("/workflows/release?view=yaml");
      const text = page.getByLabel("YAML of the workflow");
      await text.fill(EDITED.replace("prompt:", "promt:").replace("provider: demo", "provider: demmo"));
      await page.locator(".cm-lint-marker-error").first().waitFor();
      await text.press("Control+f");
      await page.locator(".cm-search").waitFor();
      await look("yaml");
      if (viewport === PHONE) {
        await page.getByRole("tab", { name: "Problems 2" }).click();
        await page.getByRole("region", { name: "Problems" }).waitFor();
        await look("problems");
      }
      await close();
    }
  }
  expect(found).toEqual([]);
});
