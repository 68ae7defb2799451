// The promise broken, in one sentence with the names of this very program.
import type { Catalogue } from '../engine/catalogue.js';
import { decodeOp, MM_NAMES } from '../engine/opword.js';
import type { Violation } from '../engine/types.js';
import { contentText } from '../findings/explain.js';
import { handleNames } from '../text/print.js';
import { difference } from './difference.js';

const RESIDENCY = ['present leaf', 'swap entry', 'marker', '', 'missing entry', 'migration entry'];
const COUNTS = ['mapcount', 'entire mapcount', 'reference count', 'pin count'];

/** Details of assembly/fuzz/fresh.ts. */
const FRESH = 4;
const FRESH_FAULTS = [
  'A fresh write fault there would raise a uffd-wp event, which the next store passes by.',
  'A fresh write fault there would copy the page, which the next store does not do.',
  'A fresh write fault there would record soft-dirty, which the next store does not do.',
];

/** Judges leave content of unknown origin as this version. */
const WILD = 0xff;

export function brokenPromise(violation: Violation, words: Uint32Array, catalogue: Catalogue): string {
  return sentence(violation, words, catalogue).replace(/^step/, 'Step');
}

function sentence(violation: Violation, words: Uint32Array, catalogue: Catalogue): string {
  const { ops } = catalogue;
  const { mm, page, handle, op, expected, got, detail } = violation;
  const { slug, statement } = catalogue.invariant(violation.invariant);
  const name = handleNames(words, ops);
  const who = mm === undefined ? '' : MM_NAMES[mm]!;
  const where = page === undefined ? '' : `p${page}`;
  const whose = `${who}'s ${where}`;
  const step = `step ${op + 1}`;
  const data = (version: number) => (version === WILD ? 'anything' : contentText(version, words, ops, name));
  const h = handle === undefined ? '' : name(handle);
  const granted = handle === undefined ? 0 : grantOf(words, catalogue, handle, op);
  const taken = granted > 0 ? `${h}, taken by ${who} at ${where} in step ${granted},` : `${h} of ${who} at ${where}`;
  switch (slug) {
    case 'wp-writable':
      return `After ${step} ${whose} is both write-protected by uffd-wp and writable: the next store passes unseen.`;
    case 'wp-silent-write': {
      if (detail === 2)
        return `${whose} was stored to, but after ${step} it still carries uffd-wp: the store goes unnoticed.`;
      const what = detail === 1 ? `GUP took ${whose} for writing` : `${who} stored to ${where}`;
      return `In ${step} ${what} although it is write-protected by uffd-wp, and no event was raised.`;
    }
    case 'cow-leak':
    case 'pin-detached':
      if (handle !== undefined)
        return `${taken} shows ${data(got)}; it was to show ${data(expected)}${laterOwn(slug, who)}.`;
      if (slug === 'cow-leak')
        return `${who} at ${where} finds ${data(got)}, another process's data; it must find ${data(expected)}.`;
      return `${who} at ${where} finds ${data(got)} and has lost ${data(expected)}.`;
    case 'wp-event-on-read':
      return `${step} only reads ${whose}, yet it raises a uffd-wp event and sleeps until somebody un-protects the page.`;
    case 'wp-lost':
      return `${whose} is write-protected and nobody un-protected it, but after ${step} its entry (${RESIDENCY[detail]}) has no uffd-wp bit.`;
    case 'page-accounting':
      return accounting(detail, expected, got, step);
    case 'tlb-stale':
      return `After ${step} CPU ${detail} still holds a translation of ${whose} that allows more than the entry does${got & 0x80 ? ': stores through it bypass the page table' : ''}.`;
    case 'no-progress':
      if (detail === 1)
        return `${step} should wake the thread that sleeps on ${whose}, and does not; nobody else will.`;
      return `The fault loop of ${step} at ${whose} comes back to the same state: it never ends.`;
    case 'tracking-gap':
      return `${whose} has changed since it was armed, but the scan of ${step} does not report it.`;
    case 'missing-events':
      if (detail === 1) return `${step} raises a missing-page event for ${whose}, which is not registered for any.`;
      return `${step} finds something at ${whose}, where nothing was: it should have been an event.`;
    case 'data-lost':
      if (detail === 1) return `${step} puts a page at ${whose} in place of ${data(expected)}.`;
      return `${who} at ${where} finds ${data(got)}; it must find ${data(expected)}.`;
    case 'softdirty-lost':
      return `${who} has written to ${where} since clear_refs, or moved a page there, but its entry (${RESIDENCY[detail]}) does not report soft-dirty.`;
    case 'wp-stray':
      if (detail === 3) return `${step} raises a uffd-wp event for ${whose}, which nobody protected.`;
      return `After ${step} ${whose} carries uffd-wp in a ${RESIDENCY[detail]}, but its VMA is not registered.`;
    case 'not-exclusive':
      return exclusivity(violation, whose, h, step);
    case 'batch-differs':
      return difference(violation, { whose, h, step, data });
    case 'permission-gained':
      if (detail >= FRESH) return `After ${step} ${whose} is writable without a store. ${FRESH_FAULTS[detail - FRESH]}`;
      return `${step} writes or reads ${whose}, which its VMA does not allow.`;
    case 'needless-copy':
      return `${step} copies ${whose}${detail === 1 ? ', just read from swap,' : ''} although nobody else uses the page: a cost, no failure.`;
    case 'call-in-vain':
      if (detail === 1)
        return `${step} leaves two VMAs side by side at ${whose} that could be one: a cost, no failure.`;
      if (mm !== undefined && page === undefined)
        return `${step} runs out of memory although there is some: a cost, no failure.`;
      return page === undefined
        ? `${step} is done and swap is not empty: a cost, no failure.`
        : `${step} leaves ${whose} as it was, although nothing stood in the way: a cost, no failure.`;
    case 'needless-fault':
      if (detail === 1)
        return `${step} brings a small page at ${whose}, where a huge page could be: a cost, no failure.`;
      if (detail === 3)
        return `${step} leaves ${whose} read-only without a reason, so the next store takes a fault: a cost, no failure.`;
      if (detail === 2) return `${step} takes ${got} faults at ${whose}, where one is enough: a cost, no failure.`;
      return `${step} takes a fault at ${whose}, whose entry allows the access: a cost, no failure.`;
    case 'softdirty-spurious':
      return `After ${step} ${whose} is reported soft-dirty, but nobody has written it since clear_refs: a cost, no failure.`;
    case 'guard-lost':
      if (detail === 3) return `${step} gets at ${whose}, which is a guard region.`;
      if (expected === 0) return `After ${step} ${whose} is a guard region, which nobody asked for.`;
      return `${whose} is a guard region and nobody removed it, but after ${step} it has lost its marker (now: ${RESIDENCY[detail]}).`;
    case 'fast-only-refused':
      return `Fast-only GUP in ${step} finds nothing at ${whose}, although the page is present and readable.`;
    default:
      return statement;
  }
}

/** Number of the last step before `op` that took the handle; 0 = none. */
function grantOf(words: Uint32Array, { ops }: Catalogue, handle: number, op: number): number {
  return (
    words.subarray(0, op + 1).findLastIndex((word) => {
      const fields = decodeOp(word);
      return ops[fields.code]!.shape.startsWith('h=') && fields.y === handle;
    }) + 1
  );
}

function laterOwn(slug: string, who: string): string {
  return slug === 'cow-leak' ? ` or later data of ${who}'s own` : `, as ${who} sees it`;
}

function accounting(detail: number, expected: number, got: number, step: string): string {
  const frame = detail & 31;
  const which = detail >> 5;
  const count = COUNTS[which];
  if (count !== undefined)
    return `After ${step} the ${count} of page ${frame} is ${got}, but its users add up to ${expected}.`;
  if (which === 5) return `After ${step} swap slot ${frame} counts ${got} users, but ${expected} entries refer to it.`;
  if (which === 6) return `After ${step} page ${frame} and its slot in the swap cache do not point at each other.`;
  if (which === 4)
    return `After ${step} page ${frame} is ${got === 1 ? 'free but still reachable or in use' : 'lost: nobody uses it, yet it is not free'}.`;
  return frame === 31
    ? `In ${step} a page was freed twice or while in use.`
    : `After ${step} an entry has outlived its mapping.`;
}

function exclusivity({ detail, got }: Violation, whose: string, h: string, step: string): string {
  switch (detail) {
    case 0:
      return `After ${step} ${whose} is writable, but its page is not marked exclusive.`;
    case 3:
      return `${h} pins ${whose} in ${step}, but the page is not exclusive: a later store may move ${whose} away from it.`;
    default:
      return `After ${step} the page at ${whose} is marked exclusive, but ${got} entries refer to it.`;
  }
}
