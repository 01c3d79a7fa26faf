/** Headless Chromium, without any network, that tells whatever a page tried to do. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";

const NAMES = ["chromium-headless-shell", "chromium", "google-chrome"];

/** @throws Error where there is no Chromium. */
export async function launch(): Promise<Browser> {
  const places = (process.env.PATH ?? "").split(delimiter).flatMap((dir) => NAMES.map((name) => join(dir, name)));
  const executablePath = process.env.HCS_CHROMIUM ?? places.find(isExecutable);
  if (executablePath === undefined) {
    throw new Error(
      "no Chromium on PATH: `npm run bootstrap` installs Debian's chromium-headless-shell; HCS_CHROMIUM names another",
    );
  }
  // Its own sandbox needs a user other than root, and all that is shown is made here.
  return await chromium.launch({ executablePath, args: ["--no-sandbox"] });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export interface View {
  page: Page;
  /** Requests, dialogs, errors and messages of scripts since the page was shown: empty for a page that does nothing. */
  deeds: string[];
  /** Shows a page in the place of the one before. */
  show(html: string): Promise<void>;
}

export async function newView(browser: Browser): Promise<View> {
  const page = await browser.newPage({ viewport: { width: 828, height: 900 } });
  const deeds: string[] = [];
  await page.route("**/*", (route) => {
    deeds.push(`request ${route.request().url()}`);
    return route.abort();
  });
  page.on("dialog", (dialog) => {
    deeds.push(`dialog ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("pageerror", (error) => deeds.push(`error ${error.message}`));
  page.on("console", (message) => deeds.push(`console ${message.text()}`));
  const show = async (html: string) => {
    // Scripts of the page before end with it.
    await page.goto("about:blank");
    deeds.length = 0;
    await page.setContent(html, { waitUntil: "load" });
  };
  return { page, deeds, show };
}
