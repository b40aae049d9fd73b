import { existsSync } from "node:fs";

import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";

import type { Studio } from "./studio.ts";

const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export const WIDE = { width: 1440, height: 900 };
export const PHONE = { width: 390, height: 844 };

let browser: Promise<Browser> | undefined;

function launch(): Promise<Browser> {
  if (!existsSync(CHROMIUM)) throw new Error(`${CHROMIUM} is missing: apt-get install chromium`);
  browser ??= chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  return browser;
}

export async function closeBrowser(): Promise<void> {
  await (await browser)?.close();
  browser = undefined;
}

/** A page that has the token of a studio, and notes what must not happen. */
export interface Tab {
  page: Page;
  /** Messages of the console, errors of the page, and requests to anything but the studio. */
  problems: string[];
  goto(path: string): Promise<void>;
  /** Opens the address that the program printed in another page, as the program does when it is started again. */
  renew(): Promise<void>;
  close(): Promise<void>;
}

export async function openTab(studio: Studio, options: BrowserContextOptions = {}): Promise<Tab> {
  const context = await (await launch()).newContext({ viewport: WIDE, timezoneId: "UTC", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(40_000);
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(`error: ${error.message}`));
  page.on("console", (message) => {
    // A server that is gone or refuses is part of some tests.
    const isNetwork = /Failed to load resource|net::ERR/.test(message.text());
    if (["error", "warning"].includes(message.type()) && !isNetwork) problems.push(`console: ${message.text()}`);
  });
  page.on("dialog", (dialog) => {
    // The browser asks before changes are left: as a person who leaves them.
    if (dialog.type() === "beforeunload") return void dialog.accept();
    problems.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(studio.origin) && !url.startsWith("blob:")) problems.push(`request: ${url}`);
  });
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) =>
      console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`),
    );
  });
  await page.goto(studio.address);
  await page.locator("h1").first().waitFor();
  return {
    page,
    problems,
    goto: async (path) => {
      await page.goto(studio.origin + path);
      await page.locator("h1").first().waitFor();
    },
    renew: async () => {
      const other = await context.newPage();
      await other.goto(studio.address);
      await other.locator("h1").first().waitFor();
      await other.close();
    },
    close: () => context.close(),
  };
}
