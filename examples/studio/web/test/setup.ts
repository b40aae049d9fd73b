import { afterAll, afterEach, expect } from "vitest";
import type { BrowserContextOptions } from "playwright-core";

import { closeBrowser, openTab, type Tab } from "./browser.ts";
import { Studio } from "./studio.ts";

const studios: Studio[] = [];
const tabs: Tab[] = [];

/** Starts a studio, which is ended after the test. */
export async function studio(files: Record<string, string> = {}): Promise<Studio> {
  const started = await Studio.start(files);
  studios.push(started);
  return started;
}

/** Opens a page of it; after the test nothing must have gone wrong in it. */
export async function tab(of: Studio, options?: BrowserContextOptions): Promise<Tab> {
  const opened = await openTab(of, options);
  tabs.push(opened);
  return opened;
}

afterEach(async () => {
  const problems = tabs.flatMap((opened) => opened.problems);
  await Promise.all(tabs.splice(0).map((opened) => opened.close()));
  await Promise.all(studios.splice(0).map((started) => started.close()));
  expect(problems).toEqual([]);
});

afterAll(closeBrowser);
