// A page in Chromium, opened from disk with the network off.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before } from 'node:test';
import { pathToFileURL } from 'node:url';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'chrome'];

function installed(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).find((path) => existsSync(path));
}

const executable = process.env.CHROMIUM ?? installed();
export const skip = executable || process.env.CI ? false : 'the page is tried in Chromium: apt install chromium';

export const verdict = (page: Page) => page.locator('.promise').getAttribute('data-verdict');
export const step = async (page: Page) => (await page.locator('output').textContent())?.trim();

/** Called in a suite: before its tests a browser is started and the page that `html` makes is written. */
export function pageInChromium(html: () => string | Promise<string>) {
  const directory = mkdtempSync(join(tmpdir(), 'breakcow-browser-'));
  const file = join(directory, 'page.html');
  let browser: Browser;
  before(async () => {
    assert.ok(executable, 'no Chromium on this machine: apt install chromium, or name one in CHROMIUM');
    writeFileSync(file, await html());
    // Chromium's own sandbox does not work for root, which containers are.
    browser = await chromium.launch({ executablePath: executable, args: ['--no-sandbox'] });
  });
  after(async () => {
    await browser?.close();
    rmSync(directory, { recursive: true });
  });

  /** Opens the page; whatever it complains of, or asks the network for, fails the test. */
  async function open(options: BrowserContextOptions, look: (page: Page) => Promise<void>, fragment = '') {
    const context = await browser.newContext({ offline: true, ...options });
    context.setDefaultTimeout(5000);
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    page.on('dialog', (dialog) => {
      complaints.push(`dialog ${dialog.message()}`);
      return dialog.dismiss();
    });
    page.on('request', (request) => /^(?:file|data):/.test(request.url()) || complaints.push(request.url()));
    await page.goto(`${pathToFileURL(file).href}${fragment}`);
    await look(page);
    await context.close();
    assert.deepEqual(complaints, []);
  }
  return { open, browser: () => browser };
}
