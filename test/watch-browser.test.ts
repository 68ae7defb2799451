import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { isDriven } from '../src/store/lock.js';
import { CampaignReader } from '../src/store/read.js';
import { WatchServer } from '../src/watch/server.js';
import { engine, findingOn, keepFinding, LEAK, makeStore, progressAt } from './watch-store.js';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'chrome'];
const BIN = fileURLToPath(new URL('../../bin/breakcow.js', import.meta.url));
const NASTY = `<img src=x onerror=alert(1)>"'</script><script>alert(1)</script>`;

function installed(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).find((path) => existsSync(path));
}

const executable = process.env.CHROMIUM ?? installed();
const skip = executable || process.env.CI ? false : 'the page is tried in Chromium: apt install chromium';

describe('a page that watches, in Chromium', { skip }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'breakcow-watching-'));
  const path = join(directory, 'night.db');
  let browser: Browser;
  let server: WatchServer;
  let campaign: ChildProcess;

  before(async () => {
    assert.ok(executable, 'no Chromium on this machine: apt install chromium, or name one in CHROMIUM');
    const args = ['campaign', 'start', '--dir', directory, '--name', 'night', '--workers', '1', '--time', '20m'];
    campaign = spawn(process.execPath, [
      BIN,
      ...args,
      '--kernel',
      'v5.7',
      '--kernel',
      'repaired',
      '--epoch-shards',
      '2',
    ]);
    // Chromium's own sandbox does not work for root, which containers are.
    browser = await chromium.launch({ executablePath: executable, args: ['--no-sandbox'] });
    server = new WatchServer(engine, { directory, host: '127.0.0.1', port: 0 });
    await server.listen();
    for (let i = 0; i < 300 && !reading(({ findings, programs }) => findings > 0 && programs > 0); i++)
      await sleep(100);
  });
  after(async () => {
    await browser?.close();
    await server?.close();
    campaign?.kill('SIGKILL');
    for (let i = 0; i < 100 && isDriven(path); i++) await sleep(50);
    rmSync(directory, { recursive: true, maxRetries: 5 });
  });

  function reading(look: (sample: { findings: number; programs: number }) => boolean): boolean {
    if (!existsSync(path)) return false;
    try {
      const reader = new CampaignReader(path);
      const last = reader.last();
      reader.close();
      return last !== undefined && look(last);
    } catch {
      return false;
    }
  }

  /** Opens a page of the server; whatever it complains of, or asks of anybody else, fails the test. */
  async function open(
    address: string,
    options: BrowserContextOptions,
    look: (page: Page) => Promise<void>,
    expected: readonly RegExp[] = [],
  ) {
    const context = await browser.newContext(options);
    context.setDefaultTimeout(15_000);
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    page.on('dialog', (dialog) => {
      complaints.push(`dialog ${dialog.message()}`);
      return dialog.dismiss();
    });
    page.on('request', (request) => request.url().startsWith(server.url) || complaints.push(request.url()));
    await page.goto(`${server.url}${address}`);
    await look(page);
    await context.close();
    assert.equal(complaints.length, expected.length, complaints.join());
    for (const [i, complaint] of expected.entries()) assert.match(complaints[i]!, complaint);
  }
  const withToken = (address: string) => `${address}#token=${server.token}`;
  const state = (page: Page, name: string) => page.locator(`h1 [data-state=${name}]`).waitFor();
  const figure = (page: Page, name: string) =>
    page
      .locator('.totals > div')
      .filter({ has: page.getByText(name, { exact: true }) })
      .locator('b')
      .innerText();

  async function changes(page: Page, name: string): Promise<void> {
    const before = await figure(page, name);
    for (let i = 0; i < 150; i++) {
      if ((await figure(page, name)) !== before) return;
      await sleep(100);
    }
    assert.fail(`${name} stays at ${before}`);
  }

  it('shows numbers that grow, without a reload', async () => {
    await open('campaign/night', {}, async (page) => {
      await state(page, 'running');
      await changes(page, 'programs');
      await changes(page, 'page faults');
      assert.equal(await page.locator('.chart canvas').count(), 4);
      const tree = await page.locator('body').ariaSnapshot();
      for (const part of [
        /progressbar "Budget spent"/,
        /rowheader "v5.7"/,
        /rowheader "this process"/,
        /slider "Findings"/,
        /MiB/,
      ])
        assert.match(tree, part);
      await page.locator('.log').getByText('running').waitFor();
      assert.match(await page.title(), /finding.* · running · night/);
    });
  });

  it('is read-only without the token, and says so', async () => {
    await open('campaign/night', {}, async (page) => {
      await page.getByText('Read-only.').waitFor();
      for (const name of ['Pause', 'Continue', 'Stop', 'Resume'])
        assert.equal(await page.getByRole('button', { name }).count(), 0, name);
      assert.equal(await page.evaluate(() => sessionStorage.length + localStorage.length), 0);
    });
    assert.ok(isDriven(path));
  });

  it('refuses a wrong token, takes the right one, and keeps it in this tab alone', async () => {
    const look = async (page: Page) => {
      const unlock = async (token: string) => {
        await page.getByLabel('Token').fill(token);
        await page.getByRole('button', { name: 'Unlock' }).click();
      };
      await unlock('wrong');
      await page.getByText('That is not the token.').waitFor();
      assert.equal(await page.getByRole('button', { name: 'Pause' }).count(), 0);
      await unlock(server.token);
      await page.getByRole('button', { name: 'Pause' }).waitFor();
      await page.reload();
      await page.getByRole('button', { name: 'Pause' }).waitFor();
      assert.equal(await page.evaluate(() => document.cookie + localStorage.length), '0');
    };
    await open('campaign/night', {}, look, [/401 \(Unauthorized\)/]);
    await open(withToken('campaign/night'), {}, async (page) => {
      await page.getByRole('button', { name: 'Stop' }).waitFor();
      assert.equal(new URL(page.url()).hash, '');
    });
  });

  it('pauses, continues, stops and resumes', async () => {
    await open(withToken('campaign/night'), {}, async (page) => {
      await state(page, 'running');
      await page.getByRole('button', { name: 'Pause' }).click();
      await state(page, 'paused');
      await page.getByText('It is paused.').waitFor();
      // What is in flight ends first.
      let programs = '';
      for (let i = 0; i < 100 && programs !== (await figure(page, 'programs')); i++) {
        programs = await figure(page, 'programs');
        await sleep(2500);
      }
      const sampled = await page.locator('.budget time').getAttribute('datetime');
      await page.waitForFunction(
        (before) => document.querySelector('.budget time')?.getAttribute('datetime') !== before,
        sampled,
      );
      assert.equal(await figure(page, 'programs'), programs);
      await page.getByRole('button', { name: 'Continue' }).click();
      await state(page, 'running');
      await changes(page, 'programs');
      await page.getByRole('button', { name: 'Stop' }).click();
      await state(page, 'stopped');
      for (let i = 0; i < 100 && isDriven(path); i++) await sleep(50);
      await page.getByRole('button', { name: 'Resume' }).click();
      await state(page, 'running');
      await changes(page, 'programs');
      await page.getByRole('button', { name: 'Stop' }).click();
      await state(page, 'stopped');
    });
  });

  it('leads to each finding step by step', async () => {
    await open('campaign/night', {}, async (page) => {
      const link = page.locator('.finding a').first();
      const slug = await link.locator('b').innerText();
      await link.click();
      await page.waitForURL(/\/campaign\/night\/finding\/[0-9a-z]{10}$/);
      assert.equal(await page.locator('.promise').getAttribute('data-verdict'), slug);
      await page.keyboard.press('Home');
      assert.match(await page.locator('output').innerText(), /^0 \//);
      await page.goBack();
      await page.locator('.finding a').first().waitFor();
    });
  });

  it('lists campaigns, and shows hostile text as text', async () => {
    const store = makeStore(directory, 'odd', ['v5.7']);
    try {
      store.setState('failed', NASTY);
      store.event('note', NASTY);
      store.sample(progressAt(2), 1);
      store.workers([{ name: NASTY, threads: 2, busy: 1, jobs: 1 }]);
      keepFinding(store, 0, 0, { ...findingOn('v5.7', LEAK), promise: NASTY }, 1);
      await open('', {}, async (page) => {
        await page.getByRole('row', { name: /night/ }).waitFor();
        await page.getByText(NASTY).first().waitFor();
        await page.getByRole('link', { name: 'odd' }).click();
        for (const part of ['.log', '.crew', '.finding', '.lost'])
          await page.locator(part).getByText(NASTY).first().waitFor();
        assert.equal(await page.locator('img').count(), 0);
      });
    } finally {
      store.close();
    }
  });

  it('says that it shows old figures when the server is gone, and comes back with it', async () => {
    const port = Number(new URL(server.url).port);
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`${server.url}campaign/night`);
    await state(page, 'stopped');
    await server.close();
    await page.getByText(/No connection to the server for .*: what is shown is old/).waitFor();
    server = new WatchServer(engine, { directory, host: '127.0.0.1', port });
    await server.listen();
    await page.locator('.lost').waitFor({ state: 'detached', timeout: 20_000 });
    await context.close();
  });

  it('fits a phone and a wall, by day and by night', async () => {
    for (const address of ['', 'campaign/night', withToken('campaign/night')]) {
      for (const colorScheme of ['dark', 'light'] as const) {
        for (const width of [390, 1400]) {
          await open(address, { viewport: { width, height: 844 }, colorScheme }, async (page) => {
            await page.locator('[data-state]').first().waitFor();
            if (address !== '') await page.locator('.matrix').waitFor();
            const wide = await page.evaluate(() => document.documentElement.scrollWidth);
            assert.ok(wide <= width, `${address}: ${wide} pixels wide of ${width}`);
            assert.equal(await page.locator('button:not([aria-label])').filter({ hasNotText: /\S/ }).count(), 0);
          });
        }
      }
    }
  });
});
