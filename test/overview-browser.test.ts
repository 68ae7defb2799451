import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { pageHtml } from '../src/page-build/html.js';
import type { CampaignStory } from '../src/report/story.js';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'chrome'];
const BIN = fileURLToPath(new URL('../../bin/breakcow.js', import.meta.url));

function installed(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).find((path) => existsSync(path));
}

const executable = process.env.CHROMIUM ?? installed();
const skip = executable || process.env.CI ? false : 'the page is tried in Chromium: apt install chromium';

describe('the overview in Chromium', { skip }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'breakcow-overview-'));
  const findings = join(directory, 'findings');
  const file = join(directory, 'overview.html');
  let ids: string[];
  let browser: Browser;

  function cli(...args: string[]): string {
    const { status, stderr } = spawnSync(process.execPath, [BIN, ...args], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return stderr;
  }
  before(async () => {
    assert.ok(executable, 'no Chromium on this machine: apt install chromium, or name one in CHROMIUM');
    cli('fuzz', '--kernel', 'seed', '--keep-going', '--programs', '20k', '--exit-zero', '--out', findings);
    ids = readdirSync(findings).flatMap((name) => /^([0-9a-z]{10})\.json$/.exec(name)?.[1] ?? []);
    cli('report', findings, '--html', file);
    browser = await chromium.launch({ executablePath: executable, args: ['--no-sandbox'] });
  });
  after(async () => {
    await browser?.close();
    rmSync(directory, { recursive: true });
  });

  /** Opens a page from disk with the network off; whatever it complains of, or asks the network for, fails the test. */
  async function open(options: BrowserContextOptions, look: (page: Page) => Promise<void>, path = file) {
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
    await page.goto(pathToFileURL(path).href);
    await look(page);
    await context.close();
    assert.deepEqual(complaints, []);
  }

  /** How many pixels of the first chart have the colour of its curve. */
  async function curvePixels(page: Page): Promise<number> {
    return page.evaluate(() => {
      const canvas = document.querySelector<HTMLCanvasElement>('.plot canvas')!;
      const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
      const wanted = getComputedStyle(document.documentElement).getPropertyValue('--curve').slice(1);
      const [r, g, b] = [0, 2, 4].map((i) => Number.parseInt(wanted.slice(i, i + 2), 16));
      let count = 0;
      for (let i = 0; i < data.length; i += 4)
        if (data[i] === r && data[i + 1] === g && data[i + 2] === b && data[i + 3] === 255) count++;
      return count;
    });
  }

  it('is one file under 1.5 MB that tells each finding by cause, promise and kernel', async () => {
    assert.ok(readFileSync(file).length < 1_500_000);
    await open({}, async (page) => {
      assert.equal(await page.getByRole('heading', { level: 1 }).textContent(), `${ids.length} findings on seed`);
      await page.getByText(/^Valid: the canary/).waitFor();
      assert.equal(await page.locator('.plot canvas').count(), 4);
      assert.ok((await curvePixels(page)) > 50);
      for (const part of ['.finding a', '.promises a', '.matrix a']) {
        const told = await page.locator(part).allTextContents();
        assert.deepEqual(told.map((text) => text.trim().slice(-10)).sort(), [...ids].sort(), part);
      }
      const broken = await page.locator('.matrix td.broken').count();
      const totals = await page.locator('.matrix tfoot td').allTextContents();
      assert.equal(
        totals.reduce((sum, text) => sum + Number(text), 0),
        broken,
      );
    });
  });

  it('leads to the steps of a finding, and back to where it was', async () => {
    await open({ viewport: { width: 1400, height: 700 } }, async (page) => {
      const link = page.locator('.matrix a').last();
      const id = await link.textContent();
      const stored = JSON.parse(readFileSync(join(findings, `${id}.json`), 'utf8'));
      await link.scrollIntoViewIfNeeded();
      const top = await page.evaluate(() => scrollY);
      assert.ok(top > 100);
      await link.click();
      assert.equal(await page.locator('.promise').getAttribute('data-verdict'), stored.slug);
      assert.equal(await page.getByRole('textbox', { name: 'Program' }).inputValue(), stored.minimized);
      assert.equal(await page.evaluate(() => scrollY), 0);
      await page.keyboard.press('ArrowLeft');
      await page.goBack();
      await page.locator('.overview').waitFor();
      assert.equal(await page.evaluate(() => document.activeElement?.textContent), id);
      assert.ok(Math.abs((await page.evaluate(() => scrollY)) - top) < 2);
      await page.goForward();
      await page.getByRole('link', { name: 'Overview' }).click();
      await page.locator('.overview').waitFor();
      assert.equal(await page.getByRole('heading', { level: 1 }).textContent(), `${ids.length} findings on seed`);
    });
  });

  it('lets the keyboard walk along a chart, and says the values', async () => {
    await open({}, async (page) => {
      const chart = page.getByRole('slider', { name: 'Findings' });
      const other = page.getByRole('slider', { name: 'Throughput' });
      const text = async () => (await chart.getAttribute('aria-valuetext'))!;
      assert.equal(await text(), `found: ${ids.length}`);
      await page.getByRole('checkbox', { name: 'Logarithmic time' }).focus();
      await page.keyboard.press('Tab');
      assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('aria-label')), 'Findings');
      await page.keyboard.press('Home');
      assert.equal(await text(), '0 s: found: 0');
      await page.keyboard.press('ArrowRight');
      const second = await text();
      assert.match(second, /^[\d.]+ m?s: found: \d+$/);
      assert.match((await other.getAttribute('aria-valuetext'))!, /^[\d.]+ s: ops: .+, faults: .+$/);
      assert.equal(await page.locator('.curves b').first().textContent(), /\d+$/.exec(second)![0]);
      await page.keyboard.press('End');
      assert.match(await text(), new RegExp(`: found: ${ids.length}$`));
      assert.match((await other.getAttribute('aria-valuetext'))!, /: ops: .*\/s, faults: .*\/s$/);
      await page.keyboard.press('Escape');
      assert.equal(await text(), `found: ${ids.length}`);
      await page.getByText('The same as a table').click();
      const rows = page.locator('.numbers tbody tr');
      assert.equal(await rows.last().locator('td').nth(1).textContent(), `${ids.length}`);
    });
  });

  it('follows the pointer in all charts, and the time axis can be logarithmic', async () => {
    await open({}, async (page) => {
      const place = (await page.locator('.plot').first().boundingBox())!;
      await page.mouse.move(place.x + place.width / 2, place.y + place.height / 2);
      const texts = () =>
        page.locator('.plot').evaluateAll((all) => all.map((one) => one.getAttribute('aria-valuetext')));
      const times = (await texts()).map((text) => text!.split(':')[0]);
      assert.match(times[0]!, /s$/);
      assert.equal(new Set(times).size, 1);
      await page.getByRole('checkbox', { name: 'Logarithmic time' }).check();
      assert.ok((await curvePixels(page)) > 50);
      await page.getByRole('slider', { name: 'Findings' }).focus();
      await page.keyboard.press('Home');
      assert.doesNotMatch((await texts())[0]!, /^0 s/);
    });
  });

  it('puts first what the chosen kernel breaks', async () => {
    await open({}, async (page) => {
      const kernel = page.locator('.matrix').getByRole('button', { name: 'v5.8', exact: true });
      const fates = async () => {
        const index = await page.locator('.matrix thead button').allTextContents();
        const cells = page.locator(`.matrix tbody td:nth-of-type(${index.indexOf('v5.8') + 1})`);
        return (await cells.evaluateAll((all) => all.map((cell) => (cell.className === 'broken' ? 'x' : '-')))).join(
          '',
        );
      };
      assert.doesNotMatch(await fates(), /^x+-+$/);
      await kernel.click();
      assert.equal(await kernel.getAttribute('aria-pressed'), 'true');
      assert.match(await fates(), /^x+-+$/);
    });
  });

  it('follows the colour scheme while it is open', async () => {
    await open({ colorScheme: 'light' }, async (page) => {
      const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const [light, drawn] = [await ground(), await curvePixels(page)];
      assert.ok(drawn > 50);
      await page.getByRole('slider', { name: 'Findings' }).focus();
      await page.keyboard.press('ArrowLeft');
      const dot = () =>
        page
          .locator('.u-cursor-pt')
          .first()
          .evaluate((point) => getComputedStyle(point).backgroundColor);
      const drawnDot = await dot();
      await page.emulateMedia({ colorScheme: 'dark' });
      assert.notEqual(await ground(), light);
      await page.evaluate(
        () => new Promise((drawnAgain) => requestAnimationFrame(() => requestAnimationFrame(drawnAgain))),
      );
      assert.ok((await curvePixels(page)) > 50, 'the curve keeps its light colour');
      assert.notEqual(await dot(), drawnDot);
    });
  });

  it('fits a phone', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      await open({ viewport: { width: 390, height: 844 }, colorScheme }, async (page) => {
        await page.locator('.plot canvas').last().waitFor();
        await page.getByText('The same as a table').click();
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(width <= 390, `${width} pixels wide`);
        const [canvas] = await page.locator('.plot canvas').evaluateAll((all) => all.map((one) => one.clientWidth));
        assert.ok(canvas! > 250 && canvas! < 390);
      });
    }
  });

  it('without campaign.json has no charts and says why', async () => {
    const bare = join(directory, 'bare');
    cpSync(findings, bare, { recursive: true });
    rmSync(join(bare, 'campaign.json'));
    const path = join(directory, 'bare.html');
    cli('report', bare, '--html', path);
    await open(
      {},
      async (page) => {
        await page.getByText('No charts: there is no campaign.json here').waitFor();
        assert.equal(await page.locator('canvas').count(), 0);
        assert.equal(await page.locator('.finding').count(), ids.length);
      },
      path,
    );
  });

  it('shows hostile text as text', async () => {
    const nasty = `<img src=x onerror=alert(1)>"'</script><script>alert(1)</script>`;
    const hostile = join(directory, 'hostile');
    cpSync(findings, hostile, { recursive: true });
    const path = join(hostile, 'campaign.json');
    const record = JSON.parse(readFileSync(path, 'utf8'));
    const canary = { ...record.totals.canary, kernel: nasty };
    const outcome = { ...record.outcome, digest: nasty, quarantined: [{ shard: 1, message: nasty }] };
    const totals = { ...record.totals, canary };
    writeFileSync(path, JSON.stringify({ ...record, kernel: nasty, with: [nasty], totals, outcome }));
    const first = join(hostile, `${ids[0]}.json`);
    const stored = JSON.parse(readFileSync(first, 'utf8'));
    writeFileSync(first, JSON.stringify({ ...stored, slug: nasty, promise: nasty, cause: { function: nasty } }));
    const second = join(hostile, `${ids[1]}.json`);
    writeFileSync(second, JSON.stringify({ ...JSON.parse(readFileSync(second, 'utf8')), minimized: nasty }));
    const html = join(directory, 'hostile.html');
    assert.match(cli('report', hostile, '--html', html), /left out: \S+\.json: line 1/);
    const look = async (page: Page) => {
      await page.getByText(nasty).first().waitFor();
      assert.equal(await page.locator('img').count(), 0);
      assert.equal(await page.locator('.finding').count(), ids.length - 1);
    };
    await open({}, look, html);

    // And a story that no command would write.
    const boot = JSON.parse(/<script id="boot"[^>]*>(.*)<\/script>/.exec(readFileSync(html, 'utf8'))![1]!);
    const told: CampaignStory = JSON.parse(
      JSON.stringify(boot.story, (key, value) =>
        typeof value === 'string' && !['started', 'ended'].includes(key) ? nasty : value,
      ),
    );
    writeFileSync(html, pageHtml({ ...boot, title: nasty, story: { ...told, notes: [nasty] } }));
    await open(
      {},
      async (page) => {
        await look(page);
        await page.locator('.finding a').first().click();
        assert.match((await page.getByRole('alert').textContent())!, /img/);
        assert.equal(await page.locator('img').count(), 0);
      },
      html,
    );
  });
});
