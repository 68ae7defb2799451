// What is drawn, as a browser lays it out: arrows, raw entries, bars, lanes.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { loadEngine } from '../src/engine/engine.js';
import { ownProspects } from '../src/explore/own-prospects.js';
import { startSession } from '../src/page/session.js';
import { toFragment } from '../src/page/state.js';
import { gallery, pageHtml } from '../src/page-build/html.js';
import { pageInChromium, skip, step } from './page-browser-open.js';

const WRONG_SIDE = 'mmap A p0; write A p0; fork A->B; h=gup B p0 R GET; munmap B p0; write A p0; hread h';
const kernel = (name: string) => ({ kernel: name, with: [], without: [] });

describe('what the page draws, in Chromium', { skip }, () => {
  const { open } = pageInChromium(async () => {
    const engine = loadEngine();
    const { words, program, spec, broken } = startSession(engine, WRONG_SIDE, kernel('v5.7'));
    const { invariant } = broken!.violation;
    const outlook = await ownProspects(engine, loadEngine(), { words, spec, invariant });
    const findings = [{ name: 'wrong side', program, spec, note: '', outlook }];
    return pageHtml({ title: 'on trial', findings, gallery: gallery() });
  });

  /** Each arrow drawn, with its ends and how far they are from the boxes that it is about, in pixels. */
  const arrows = (page: Page) =>
    page.locator('svg.arrows g').evaluateAll((groups) =>
      groups.map((group) => {
        const at = (name: string | undefined) =>
          [...document.querySelectorAll<HTMLElement>('[data-place]')]
            .find(({ dataset }) => dataset.place === name)!
            .getBoundingClientRect();
        const { dataset } = group as unknown as HTMLElement;
        const off = (point: DOMPoint, { left, right, top, bottom }: DOMRect) => {
          const beside = Math.max(left - point.x, point.x - right, 0);
          return Math.max(beside, Math.min(Math.abs(top - point.y), Math.abs(bottom - point.y)));
        };
        const curve = group.querySelector<SVGPathElement>('.curve')!;
        const toScreen = curve.getScreenCTM()!;
        const end = (length: number) => DOMPoint.fromPoint(curve.getPointAtLength(length)).matrixTransform(toScreen);
        const [first, last] = [end(0), end(curve.getTotalLength())];
        return {
          name: `${dataset.from} > ${dataset.to}`,
          kind: group.getAttribute('class')!,
          off: [off(first, at(dataset.from)), off(last, at(dataset.to))],
        };
      }),
    );

  it('draws arrows from who holds to what is held, at every width', async () => {
    await open({ viewport: { width: 1400, height: 900 } }, async (page) => {
      await page.getByRole('slider', { name: 'Step' }).fill('5');
      for (const width of [1400, 900, 1200]) {
        await page.setViewportSize({ width, height: 900 });
        await page.waitForTimeout(100);
        const drawn = await arrows(page);
        assert.deepEqual(drawn.map(({ name }) => name).toSorted(), [
          'entry A 0 > frame 0',
          'entry B 0 > frame 0',
          'handle 0 > frame 0',
        ]);
        assert.match(drawn.find(({ name }) => name.startsWith('entry B'))!.kind, /gone/);
        for (const { name, off } of drawn) assert.ok(off[0]! < 2 && off[1]! < 9, `${width}: ${name} ${off}`);
      }
      await page.keyboard.press('End');
      const wrong = (await arrows(page)).filter(({ kind }) => kind.includes('offending'));
      assert.deepEqual(wrong.map(({ name }) => name).toSorted(), ['entry A 0 > frame 0', 'handle 0 > frame 0']);
      assert.equal(await page.locator('svg.arrows').getAttribute('aria-hidden'), 'true');
      assert.match((await page.locator('.frame .held').textContent())!, /held by A p0, h/);
    });
    await open({ viewport: { width: 390, height: 800 } }, async (page) => {
      assert.equal(await page.locator('svg.arrows').isVisible(), false);
      await page.getByText('held by A p0, h').waitFor();
      const colour = (selector: string) =>
        page
          .locator(selector)
          .first()
          .evaluate((badge) => getComputedStyle(badge).backgroundColor);
      assert.equal(await colour('.cell .badge'), await colour('.frame .badge'));
    });
  });

  it('names every bit of an entry for mouse, keyboard and finger', async () => {
    const [named, raw] = [/2.*user may access.*12\.\.51.*page frame 0.*63.*no execution/s, '.raw'];
    await open({}, async (page) => {
      const cell = page.locator('.cell.present').first();
      await cell.hover();
      assert.match((await page.locator(raw).textContent())!, named);
      assert.match((await page.locator(raw).textContent())!, /0x8000000000000867/);
      await page.mouse.move(0, 0);
      assert.equal(await page.locator(raw).count(), 0);
      await page.locator('.machine').evaluate((machine) => machine.querySelector<HTMLElement>('.cell')!.focus());
      assert.match((await page.locator(raw).textContent())!, named);
      await page.keyboard.press('Escape');
      assert.equal(await page.locator(raw).count(), 0);
    });
    await open({ hasTouch: true, viewport: { width: 390, height: 800 } }, async (page) => {
      await page.locator('.cell.present').first().tap();
      assert.match((await page.locator(raw).textContent())!, named);
      const box = (await page.locator(raw).boundingBox())!;
      assert.ok(box.x >= 0 && box.x + box.width <= 390, JSON.stringify(box));
    });
  });

  it('shows how near each step came, as long as program and kernel are those of the finding', async () => {
    await open({}, async (page) => {
      const chances = page.locator('.chance');
      assert.equal(await chances.count(), 8);
      assert.match((await chances.first().textContent())!, /random program breaks it: [\d.]+ % · 6 to go/);
      assert.match((await chances.last().textContent())!, /broken/);
      const widths = await page
        .locator('.track i')
        .evaluateAll((bars) => bars.map((bar) => bar.getBoundingClientRect().width));
      assert.ok(
        widths.every((width, i) => i === 0 || width >= widths[i - 1]!),
        widths.join(),
      );
      await page.getByText('decisive step').waitFor();
      await page.getByText('before the first step').click();
      assert.equal(await step(page), '0 / 7');
      await page.getByRole('combobox', { name: 'Kernel' }).selectOption('seed');
      await page.getByText('not after edits').waitFor();
      assert.equal(await chances.count(), 0);
    });
  });

  it('gives each of two operations at once its lane, section after section', async () => {
    const program = 'mmap A p0; write A p0; fork A->B; [write A.1 p0 || write A.2 p0]@1212';
    await open(
      { viewport: { width: 1400, height: 900 } },
      async (page) => {
        const sections = page.getByRole('list', { name: 'Sections in the order in which they ran' }).locator('> li');
        const boxes = await sections.evaluateAll((all) => all.map((one) => one.getBoundingClientRect().toJSON()));
        assert.deepEqual(
          boxes.map(({ left }) => left === boxes[0].left),
          [true, false, true, false],
        );
        for (const [i, { top }] of boxes.entries()) assert.ok(i === 0 || top >= boxes[i - 1].bottom);
        const told = await sections.allTextContents();
        assert.match(told[1]!, /switch to 2.*begins.*write A\.2 p0.*lock dropped to copy/s);
        assert.match(told[3]!, /goes on.*pte_same false.*done/s);
      },
      toFragment({ program, spec: kernel('v5.7') }),
    );
  });
});
