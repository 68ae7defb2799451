// A claim about a kernel as one C program: plain processes perform the ops, and it says whether the facts hold.
import type { OpInfo } from '../engine/optable.js';
import { handleNames, printOp } from '../text/print.js';
import { factText } from './facts.js';
import type { CSources } from './reproducer-sources.js';
import { Steps } from './reproducer-steps.js';
import type { Claim } from './reproducer-types.js';

export { type Claim, Inexpressible, type Ktap } from './reproducer-types.js';

const MAIN_WITH_DEVICE = 'int main(int argc, char **argv) {\n  if (argc > 1) swap_device = argv[1];';

/**
 * The C source: libc and kernel headers only, clean under -Wall -Wextra -Werror. It exits with 0 if the facts hold, 1 if
 * one is broken, 4 if it cannot be tried on that machine. Throws Inexpressible.
 */
export function reproducer(claim: Claim, ops: readonly OpInfo[], sources: CSources): string {
  const steps = new Steps(claim, ops);
  const body = steps.body();
  const source = (name: keyof CSources) => pick(sources[name], steps.uses).trim();
  const stride = claim.layout === 'pmd' ? '(512 * 1024L)' : '4096L';
  const parts = [
    header(claim, ops),
    source('common.c').replace('\n\nenum {', `\n\n${defines(stride, steps.mayFail, claim)}\n\nenum {`),
    source('victim.c'),
    ...(steps.uses.has('SPLICE') || steps.uses.has('IO_URING') ? ['static void open_handles(void);'] : []),
    source('controller.c'),
    ...(steps.uses.has('UFFD') ? [source('uffd.c')] : []),
    ...(steps.uses.has('SPLICE') || steps.uses.has('IO_URING') ? [source('handles.c')] : []),
    ...(steps.uses.has('PAGEMAP') ? [source('pagemap.c')] : []),
    ...(steps.uses.has('RECLAIM') ? [source('reclaim.c')] : []),
    `${steps.uses.has('SWAPOFF') ? MAIN_WITH_DEVICE : 'int main(void) {'}\n${body.map((line) => (line === '' ? '' : `  ${line}`)).join('\n')}\n}`,
  ];
  return `${withoutUnused(parts.join('\n\n'))}\n`;
}

/** Without the `static inline` functions that nobody calls, and the comments above them: some compilers mind them. */
function withoutUnused(text: string): string {
  for (const [whole, name] of text.matchAll(
    /^(?:\/\*.*\*\/\n)?static inline [^;{(]*?(\w+)\([^;{]*\{\n[\s\S]*?^\}\n+/gm,
  )) {
    const called = text.split(new RegExp(`\\b${name}\\(`)).length > 2;
    if (!called) return withoutUnused(text.replace(whole, () => ''));
  }
  return text;
}

function defines(stride: string, mayFail: bigint, { facts, ktap }: Claim): string {
  const lines = [
    '/* Distance of the pages of the program; all 4 KiB pages in between are touched, the last one speaks for them. */',
    `#define PAGE_STRIDE ${stride}`,
    '/* Ops that may fail, bit = index: their end is claimed, or there may be nothing to do. */',
    `#define MAY_FAIL 0x${mayFail.toString(16)}ULL`,
    ...(ktap ? [`#define NR_TESTS ${facts.length}`] : []),
  ];
  return lines.join('\n');
}

/** A comment block; nothing in the lines ends it. */
export function blockComment(lines: readonly string[]): string {
  return ['/*', ...lines.map((line) => ` * ${line.replaceAll('*/', '* /')}`.trimEnd()), ' */'].join('\n');
}

function header({ words, layout, facts, about = [], ktap }: Claim, ops: readonly OpInfo[]): string {
  const name = handleNames(words, ops);
  if (ktap) return blockComment(about);
  const lines = [
    ...about,
    ...(about.length > 0 ? [''] : []),
    layout === 'pmd' ? 'The program (a page is 512 KiB: p0..p3 are one huge page):' : 'The program (a page is 4 KiB):',
    ...Array.from(words, (word, k) => `${String(k + 1).padStart(4)}  ${printOp(word, ops, name)}`),
    'The claim:',
    ...facts.map((fact) => `      ${factText(fact)}`),
    '',
    '  cc -O2 -Wall -o reproducer reproducer.c -pthread && ./reproducer',
    'Exit code: 0 it holds, 1 it is broken, 4 it cannot be tried here.',
  ];
  return blockComment(lines);
}

/** Keeps the lines whose `#if USES_...` holds, and drops those lines themselves. */
function pick(text: string, uses: ReadonlySet<string>): string {
  const kept: string[] = [];
  /** Of the enclosing conditions: does this one hold? Undefined = the compiler's own. */
  const open: (boolean | undefined)[] = [];
  for (const line of text.split('\n')) {
    const [, asked] = /^#if (!?USES_\w+(?: \|\| USES_\w+)*)$/.exec(line) ?? [];
    const has = (name: string): boolean =>
      name.startsWith('!') ? !has(name.slice(1)) : uses.has(name.slice('USES_'.length));
    if (asked !== undefined) open.push(asked.split(' || ').some(has));
    else if (/^#if/.test(line)) open.push(undefined);
    const holds = open.at(-1);
    if (line === '#else' && holds !== undefined) open[open.length - 1] = !holds;
    const own = asked !== undefined || (holds !== undefined && (line === '#else' || line === '#endif'));
    if (!own && !open.includes(false)) kept.push(line);
    if (line === '#endif') open.pop();
  }
  return kept.join('\n').replaceAll(/\n{3,}/g, '\n\n');
}
