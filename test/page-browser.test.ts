import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadEngine } from '../src/engine/engine.js';
import { Stepper } from '../src/engine/stepper.js';
import { startSession } from '../src/page/session.js';
import { toFragment } from '../src/page/state.js';
import { gallery, pageHtml } from '../src/page-build/html.js';
import { printProgram } from '../src/text/print.js';
import { pageInChromium, skip, step, verdict } from './page-browser-open.js';

const BIN = fileURLToPath(new URL('../../bin/breakcow.js', import.meta.url));
const WRONG_SIDE = 'mmap A p0; write A p0; fork A->B; h=gup B p0 R GET; munmap B p0; write A p0; hread h';
const kernel = (name: string) => ({ kernel: name, with: [], without: [] });

describe('the page in Chromium', { skip }, () => {
  const engine = loadEngine();
  const { open, browser } = pageInChromium(() => {
    const findings = [{ name: 'wrong side', program: WRONG_SIDE, spec: kernel('v5.7'), note: '' }];
    return pageHtml({ title: 'on trial', findings, gallery: gallery() });
  });

  it('opens on the broken promise, steps with keys, buttons and slider, and plays', async () => {
    await open({}, async (page) => {
      assert.equal(await verdict(page), 'cow-leak');
      assert.equal(await step(page), '7 / 7');
      for (const [key, expected] of [
        ['ArrowLeft', '6 / 7'],
        ['Home', '0 / 7'],
        ['ArrowRight', '1 / 7'],
        ['End', '7 / 7'],
      ]) {
        await page.keyboard.press(key!);
        assert.equal(await step(page), expected, key);
      }
      await page.getByRole('button', { name: 'Step back' }).click();
      assert.equal(await step(page), '6 / 7');
      await page.locator('.trace').getByText('wp_page_reuse').first().waitFor();
      await page.getByText('here they part').first().waitFor();
      await page.getByRole('slider', { name: 'Step' }).fill('2');
      assert.equal(await step(page), '2 / 7');
      assert.equal(await page.locator('.cell.changed').count(), 1);
      assert.match(
        (await page.locator('.cell.changed').getAttribute('aria-label'))!,
        /0x[0-9a-f]{16}: bit 0 P present, bit 1 W writable/,
      );
      await page.getByRole('button', { name: 'Play' }).click();
      await page.getByText('3 / 7').waitFor();
      await page.getByRole('button', { name: 'Pause' }).click();
    });
  });

  it('runs what is typed at once, and says what is wrong with it', async () => {
    await open({}, async (page) => {
      const program = page.getByRole('textbox', { name: 'Program' });
      await program.fill('mmap A p0; rite A p0');
      assert.match((await page.getByRole('alert').textContent())!, /did you mean write/);
      await program.fill('mmap A p0; write A p0');
      assert.equal(await verdict(page), '');
      await program.fill(WRONG_SIDE);
      assert.equal(await verdict(page), 'cow-leak');
      await page.getByRole('combobox', { name: 'Kernel' }).selectOption('v5.8');
      assert.equal(await verdict(page), '');
      await page.getByRole('combobox', { name: 'Kernel' }).selectOption('v5.7');
      await page.getByRole('combobox', { name: 'Knobs' }).fill('+reuse.page_count');
      assert.equal(await verdict(page), '');
      await page.getByRole('combobox', { name: 'Knobs' }).fill('');
      await page.getByRole('button', { name: 'Apply' }).first().click();
      assert.equal(await verdict(page), '');
      assert.match(await page.getByRole('combobox', { name: 'Knobs' }).inputValue(), /^[+-]\w/);
      await page
        .getByRole('combobox', { name: 'Findings and classics' })
        .selectOption({ label: 'T1-02 forced-write-gup-uffd-hang' });
      assert.equal(await verdict(page), 'wp-event-on-read');
    });
  });

  it('tells each kernel of the catalogue, and switches to it', async () => {
    await open({}, async (page) => {
      const kernels = page.locator('.kernels button');
      await kernels.first().waitFor();
      assert.equal(await kernels.count(), engine.catalogue.kernels.length);
      for (const { name } of engine.catalogue.kernels) {
        const there = startSession(engine, WRONG_SIDE, kernel(name)).broken?.slug;
        const told = await kernels.filter({ has: page.getByText(name, { exact: true }) }).textContent();
        assert.match(told!, there ? new RegExp(`✗ ${there}$`) : /✓ kept$|refuses/, name);
      }
      await kernels.filter({ has: page.getByText('v5.8', { exact: true }) }).click();
      assert.equal(await verdict(page), '');
    });
  });

  it('keeps everything in its address', async () => {
    let link = '';
    await open({}, async (page) => {
      await page.getByRole('combobox', { name: 'Kernel' }).selectOption('seed');
      await page.keyboard.press('Tab');
      await page.getByRole('button', { name: 'To the start' }).click();
      link = new URL(page.url()).hash;
    });
    await open(
      {},
      async (page) => {
        assert.equal(await step(page), '0 / 7');
        assert.equal(await page.getByRole('combobox', { name: 'Kernel' }).inputValue(), 'seed');
      },
      link,
    );
  });

  it('shows hostile text as text', async () => {
    const nasty = `<img src=x onerror=alert(1)>"'</textarea><script>alert(1)</script>`;
    await open(
      {},
      async (page) => {
        assert.match((await page.getByRole('alert').textContent())!, /img/);
        assert.equal(await page.getByRole('textbox', { name: 'Program' }).inputValue(), nasty);
        assert.equal(await page.locator('img').count(), 0);
      },
      toFragment({ program: nasty, spec: kernel('v5.7') }),
    );
    await open(
      {},
      async (page) => {
        assert.match((await page.getByRole('alert').textContent())!, /unknown kernel "<img/);
        assert.equal(await page.locator('img').count(), 0);
      },
      toFragment({ program: WRONG_SIDE, spec: { kernel: nasty, with: [nasty], without: [] }, step: 2 }),
    );
  });

  it('fits a phone, and names its parts for a screen reader', async () => {
    const dax = 'mmap A dax; read A p0; uffd_reg A p0..p7 WP; fork A->B; fork A->C; h1=gup C p3 R PIN LONGTERM';
    for (const program of [WRONG_SIDE, dax]) {
      await open(
        { viewport: { width: 380, height: 800 }, colorScheme: 'dark' },
        async (page) => {
          await page.locator('.kernels button').first().waitFor();
          const width = await page.evaluate(() => document.documentElement.scrollWidth);
          assert.ok(width <= 380, `${width} pixels wide`);
          const tree = await page.locator('body').ariaSnapshot();
          for (const part of [/list "Operations of the program"/, /slider "Step"/, /textbox "Program"/, /status/])
            assert.match(tree, part);
          assert.equal(await page.locator('button:not([aria-label])').filter({ hasNotText: /\S/ }).count(), 0);
        },
        toFragment({ program, spec: kernel('v5.7') }),
      );
    }
  });

  it('says the same of 200 random programs as Node', async () => {
    const stepper = new Stepper(engine);
    const { kernels, ops } = engine.catalogue;
    const programs = Array.from({ length: 200 }, (_, index) => {
      const spec = kernel(kernels[index % kernels.length]!.name);
      engine.configure(spec);
      stepper.choose(5n, 0, index);
      stepper.begin();
      const words: number[] = [];
      while (words.length < 24) {
        const word = stepper.draw(words.length === 0);
        if (word === undefined) break;
        stepper.run(word, words.length);
        words.push(word);
      }
      return { program: printProgram(Uint32Array.from(words), ops), spec };
    });
    const expected = programs.map(({ program, spec }) => startSession(engine, program, spec).broken?.slug ?? '');
    assert.ok(new Set(expected).size > 4, `too much alike: ${[...new Set(expected)]}`);
    await open({}, async (page) => {
      for (const [i, { program, spec }] of programs.entries()) {
        const told = await page.evaluate(async (hash) => {
          location.hash = hash;
          const area = () => document.querySelector<HTMLTextAreaElement>('#program')?.value;
          const wanted = new URLSearchParams(hash.slice(1)).get('p');
          for (let tries = 0; tries < 200 && area() !== wanted; tries++) await new Promise((on) => setTimeout(on, 5));
          const error = document.querySelector('#error')?.textContent;
          return error || document.querySelector('.promise')?.getAttribute('data-verdict');
        }, toFragment({ program, spec }));
        assert.equal(told, expected[i], `${spec.kernel}: ${program}`);
      }
    });
  });

  it('is served by playground', async () => {
    const server = spawn(process.execPath, [BIN, 'playground', '--port', '0', '--json'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      let text = '';
      for await (const chunk of server.stdout) {
        text += chunk;
        if (text.includes('}')) break;
      }
      const { url }: { url: string } = JSON.parse(text);
      assert.equal((await fetch(`${url}nothing`)).status, 404);
      const page = await browser().newPage();
      await page.goto(url);
      assert.equal(await verdict(page), 'cow-leak');
      await page.close();
    } finally {
      server.kill();
    }
  });
});
