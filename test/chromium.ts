import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

// The browser that the page is tried in.

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'chrome'];

function installed(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).find((path) => existsSync(path));
}

const executable = process.env.CHROMIUM ?? installed();
export const skip = executable || process.env.CI ? false : 'the page is tried in Chromium: apt install chromium';

export async function launch(): Promise<Browser> {
  assert.ok(executable, 'no Chromium on this machine: apt install chromium, or name one in CHROMIUM');
  // Chromium's own sandbox does not work for root, which containers are.
  return await chromium.launch({ executablePath: executable, args: ['--no-sandbox'] });
}

/** What a page complains of from now on, and what it asks of others than `isOwn` addresses. */
export function complaintsOf(page: Page, isOwn: (url: string) => boolean): readonly string[] {
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('dialog', (dialog) => {
    complaints.push(`dialog ${dialog.message()}`);
    return dialog.dismiss();
  });
  page.on('request', (request) => isOwn(request.url()) || complaints.push(request.url()));
  return complaints;
}

/** Opens a page from disk with the network off; whatever it complains of, or asks the network for, fails the test. */
export async function openFile(
  browser: Browser,
  file: string,
  options: BrowserContextOptions,
  look: (page: Page) => Promise<void>,
  fragment = '',
): Promise<void> {
  const context = await browser.newContext({ offline: true, ...options });
  context.setDefaultTimeout(5000);
  const page = await context.newPage();
  const complaints = complaintsOf(page, (url) => /^(?:file|data|blob):/.test(url));
  await page.goto(`${pathToFileURL(file).href}${fragment}`);
  await look(page);
  await context.close();
  assert.deepEqual(complaints, []);
}
