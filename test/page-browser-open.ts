// A page in Chromium, opened from disk with the network off.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { launch, openFile } from './chromium.js';

export { skip } from './chromium.js';

export const verdict = (page: Page) => page.locator('.promise').getAttribute('data-verdict');
export const step = async (page: Page) => (await page.locator('output').textContent())?.trim();

/** Called in a suite: before its tests a browser is started and the page that `html` makes is written. */
export function pageInChromium(html: () => string | Promise<string>) {
  const directory = mkdtempSync(join(tmpdir(), 'breakcow-browser-'));
  const file = join(directory, 'page.html');
  let browser: Browser;
  before(async () => {
    writeFileSync(file, await html());
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    rmSync(directory, { recursive: true });
  });

  const open = (options: BrowserContextOptions, look: (page: Page) => Promise<void>, fragment = '') =>
    openFile(browser, file, options, look, fragment);
  return { open, browser: () => browser };
}
