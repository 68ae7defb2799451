import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { loadEngine } from '../src/engine/engine.js';
import { Hunt } from '../src/page/hunt.js';
import { fromFragment, toFragment } from '../src/page/state.js';
import { gallery, pageHtml } from '../src/page-build/html.js';
import { launch, openFile, skip } from './chromium.js';

const BIN = fileURLToPath(new URL('../../bin/breakcow.js', import.meta.url));
const PLAYGROUND = fileURLToPath(new URL('../playground/index.html', import.meta.url));
const KEPT = 'mmap A p0; write A p0';
const kernel = (name: string) => ({ kernel: name, with: [], without: [] });
/** Of a search on a machine that does other things as well. */
const timeout = 60_000;

describe('fuzz here and Copy C in Chromium', { skip }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'breakcow-here-'));
  const file = join(directory, 'page.html');
  let browser: Browser;
  before(async () => {
    const findings = [{ name: 'kept', program: KEPT, spec: kernel('v5.7'), note: '' }];
    writeFileSync(file, pageHtml({ title: 'on trial', findings, gallery: gallery() }));
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    rmSync(directory, { recursive: true });
  });

  const press = (page: Page, name: string) => page.getByRole('button', { name }).click();
  const phase = (page: Page, name: string) => page.locator(`.hunt[data-phase="${name}"]`).waitFor({ timeout });
  const stand = async (page: Page) => (await page.locator('.hunt .stand').textContent())!;
  const programs = async (page: Page) =>
    Number((await page.locator('.tally dd').first().textContent())!.replaceAll(',', ''));

  it('finds a broken promise on v5.7, the one that Node finds, and shows it; Back undoes that', async () => {
    const hunt = new Hunt(loadEngine(), loadEngine(), kernel('v5.7'), 2n);
    let expected = hunt.step()[0]?.found;
    while (!expected) expected = hunt.step()[0]?.found;
    for (const path of [file, PLAYGROUND]) {
      await openFile(
        browser,
        path,
        {},
        async (page) => {
          assert.equal(await page.locator('.promise').getAttribute('data-verdict'), '');
          await page.getByRole('textbox', { name: 'Seed' }).fill('2');
          await press(page, 'Fuzz here');
          await phase(page, 'resting');
          await page.locator(`.promise[data-verdict="${expected.slug}"]`).waitFor();
          assert.equal(await page.getByRole('textbox', { name: 'Program' }).inputValue(), expected.program);
          assert.equal(fromFragment(new URL(page.url()).hash)?.program, expected.program);
          assert.match(await stand(page), new RegExp(`^${expected.slug} after ${expected.after} programs?: `));
          assert.equal(await page.locator('.op.breaks').count(), 1);
          await page.goBack();
          await page.locator('.promise[data-verdict=""]').waitFor();
          assert.equal(await page.getByRole('textbox', { name: 'Program' }).inputValue(), KEPT);
        },
        toFragment({ program: KEPT, spec: kernel('v5.7') }),
      );
    }
  });

  it('keeps looking for other causes, each of which can be shown', async () => {
    await openFile(browser, file, {}, async (page) => {
      await press(page, 'Fuzz here');
      await phase(page, 'resting');
      await press(page, 'Keep looking');
      const causes = page.locator('.hunt-causes button');
      await causes.nth(4).waitFor({ timeout });
      await press(page, 'Stop');
      await phase(page, 'resting');
      const count = await causes.count();
      assert.match(await stand(page), new RegExp(`^${count} causes in [\\d,]+ programs .* on v5\\.7, seed 1\\.$`));
      assert.equal(new Set(await causes.allTextContents()).size, count);
      for (const i of [1, count - 1]) {
        await causes.nth(i).click();
        const slug = (await causes.nth(i).locator('b').textContent())!.replace('✗ ', '');
        await page.locator(`.promise[data-verdict="${slug}"]`).waitFor();
        assert.equal(await causes.nth(i).getAttribute('aria-pressed'), 'true');
      }
    });
  });

  it('runs on repaired until it is stopped, says how much it tried, and goes on from there', async () => {
    await openFile(
      browser,
      file,
      {},
      async (page) => {
        await press(page, 'Fuzz here');
        await phase(page, 'running');
        await page.waitForFunction(() => /\d,\d/.test(document.querySelector('.tally dd')?.textContent ?? ''));
        assert.equal(await page.locator('.hunt').getAttribute('data-phase'), 'running');
        // Nobody who listens hears the counts.
        assert.equal(await page.locator('.tally [aria-live], .tally [role="status"]').count(), 0);
        await press(page, 'Stop');
        await phase(page, 'resting');
        const tried = await programs(page);
        assert.match(
          await stand(page),
          new RegExp(`^Every promise was kept in ${tried.toLocaleString('en')} programs `),
        );
        await page.getByText('Tried, not proven').waitFor();
        assert.equal(await page.locator('.hunt-causes button').count(), 0);
        assert.equal(await page.getByRole('textbox', { name: 'Program' }).inputValue(), KEPT);
        await press(page, 'Keep looking');
        await page.waitForFunction(
          (least) => Number(document.querySelector('.tally dd')?.textContent?.replaceAll(',', '')) > least,
          tried,
        );
        // Another kernel is another search: this one ends.
        await page.getByRole('combobox', { name: 'Kernel' }).selectOption('v5.8');
        await phase(page, 'resting');
        await page.getByRole('button', { name: 'Fuzz here' }).waitFor();
      },
      toFragment({ program: KEPT, spec: kernel('repaired') }),
    );
  });

  it('does not start with a kernel or a seed that does not exist, and says why', async () => {
    const nasty = '<img src=x onerror=alert(1)>';
    await openFile(
      browser,
      file,
      {},
      async (page) => {
        assert.equal(await page.getByRole('button', { name: 'Fuzz here' }).isDisabled(), true);
        assert.match(await stand(page), /unknown kernel "<img/);
        await page.getByRole('combobox', { name: 'Kernel' }).selectOption('v5.7');
        await page.getByRole('combobox', { name: 'Knobs' }).fill('');
        await page.getByRole('textbox', { name: 'Seed' }).fill(nasty);
        assert.match(await stand(page), /^seed "<img.*expected a whole number/);
        assert.equal(await page.getByRole('button', { name: 'Fuzz here' }).isDisabled(), true);
        assert.equal(await page.locator('img').count(), 0);
        await page.getByRole('textbox', { name: 'Seed' }).fill('0x10');
        await press(page, 'Fuzz here');
        await phase(page, 'resting');
        assert.equal(await page.getByRole('textbox', { name: 'Seed' }).inputValue(), '16');
      },
      toFragment({ program: nasty, spec: { kernel: nasty, with: [nasty], without: [] } }),
    );
  });

  it('fits a phone while it runs and when it has found', async () => {
    await openFile(browser, file, { viewport: { width: 380, height: 800 }, colorScheme: 'dark' }, async (page) => {
      await press(page, 'Fuzz here');
      await phase(page, 'resting');
      await press(page, 'Keep looking');
      await page.locator('.hunt-causes button').nth(2).waitFor({ timeout });
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= 380, `${width} pixels wide`);
      const tree = await page.locator('.hunt').ariaSnapshot();
      for (const part of [/button "Stop"/, /textbox "Seed"/, /status/, /term: programs/]) assert.match(tree, part);
    });
  });

  it('copies the C test that the command line writes, and says where it can only be skipped', async () => {
    const cases: [string, string, RegExp | undefined][] = [
      ['v5.7', 'mmap A p0; write A p0; fork A->B; h=gup B p0 R GET; munmap B p0; write A p0; hread h', undefined],
      ['v6.18', 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; write A p0; uffd_unreg A p0', undefined],
      ['v5.8', KEPT, undefined],
      ['v5.8', 'mmap A dax; read A p0', /can only say that it is skipped: .*needs a DAX device/],
    ];
    for (const [name, program, skipped] of cases) {
      const args = ['export', '--kernel', name, '--c', '-', program];
      const { stdout, status } = spawnSync(process.execPath, [BIN, ...args], { encoding: 'utf8', maxBuffer: 1 << 26 });
      assert.equal(status, 0);
      await openFile(
        browser,
        file,
        { permissions: ['clipboard-read', 'clipboard-write'] },
        async (page) => {
          await press(page, 'Copy C');
          await page.getByText('Copy C: copied').waitFor();
          assert.equal(await page.evaluate(() => navigator.clipboard.readText()), stdout);
          const notes = page.locator('.copies .note:visible');
          if (!skipped) assert.equal(await notes.count(), 0);
          else assert.match((await notes.textContent())!, skipped);
        },
        toFragment({ program, spec: kernel(name) }),
      );
    }
  });
});
