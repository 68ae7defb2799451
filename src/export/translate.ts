// A program as user space can perform it: the nearest words, or the op that has no such form.

import { GupFlavours, Vocabulary } from '../conform/flavours.js';
import { Inexpressible } from '../conform/reproducer.js';
import type { OpInfo } from '../engine/optable.js';
import { canonical } from '../engine/optable.js';
import { decodeOp, encodeOp, MAX_OPS, NO_FIELDS, type OpFields } from '../engine/opword.js';
import { handleNames, printOp } from '../text/print.js';

/** `notes`: what was changed, in words, by index of the op in `words`. */
export interface Translation {
  readonly words: Uint32Array;
  readonly notes: ReadonlyMap<number, string>;
}

/** What holds a page that was taken for writing: a registered buffer; or a pipe, after a store, if nobody writes through. */
export type Holder = 'buffer' | 'pipe';

/** Throws Inexpressible, naming the op. */
export function translate(program: Uint32Array, ops: readonly OpInfo[], holder: Holder = 'buffer'): Translation {
  const vocabulary = new Vocabulary(ops);
  const words = [...canonical(ops, program)];
  const made: number[] = [];
  const notes = new Map<number, string>();
  const handle = handleNames(program, ops);
  for (let k = 0; k < words.length; k++) {
    const fields: OpFields = { ...decodeOp(words[k]!), cpu: 0 };
    const text = `step ${k + 1}, ${printOp(words[k]!, ops, handle)}`;
    if (fields.pair) throw new Inexpressible(`step ${k + 1}: two ops at once cannot be timed from user space`);
    switch (ops[fields.code]!.name) {
      case 'numa_hint':
        throw new Inexpressible(`${text}: NUMA hinting cannot be asked for`);
      case 'pagemap_scan':
        throw new Inexpressible(`${text}: an exported test does not scan; breakcow conform does`);
      case 'migrate':
        throw new Inexpressible(`${text}: only a machine of several NUMA nodes moves a page when asked`);
      case 'mergeable':
      case 'unmergeable':
      case 'ksm_merge':
        throw new Inexpressible(`${text}: ksmd serves the whole machine, at its own pace`);
      case 'migrate_begin':
      case 'migrate_end':
        throw new Inexpressible(`${text}: nobody can stop a migration midway`);
      case 'mmap':
        if (fields.flags & vocabulary.flag('mmap', 'dax')) throw new Inexpressible(`${text}: needs a DAX device`);
        made.push(encodeOp(fields));
        break;
      case 'gup': {
        const { group, note } = gup(words, k, text, vocabulary, holder);
        const at = group.findIndex((word) => decodeOp(word).code === fields.code);
        if (note !== undefined) notes.set(made.length + at, note);
        made.push(...group);
        break;
      }
      default:
        made.push(encodeOp(fields));
    }
  }
  if (made.length > MAX_OPS) throw new Inexpressible(`it takes more than ${MAX_OPS} operations`);
  return { words: Uint32Array.from(made), notes };
}

function gup(words: readonly number[], k: number, text: string, vocabulary: Vocabulary, holder: Holder) {
  const fields: OpFields = { ...decodeOp(words[k]!), cpu: 0 };
  const ways = new GupFlavours(vocabulary);
  for (const flag of ['BREAK_COW', 'DONT_COW', 'fast-only'])
    if (fields.flags & vocabulary.flag('gup', flag))
      throw new Inexpressible(`${text}: user space cannot ask for ${flag}`);
  const has = (bit: number) => (fields.flags & bit) !== 0;
  const as = (flags: number) => encodeOp({ ...fields, flags });
  const write = has(ways.W);
  if (!write && has(ways.PIN) && has(ways.LONGTERM))
    throw new Inexpressible(`${text}: user space cannot take a read-only long-term pin`);
  if (!write && !has(ways.PIN) && !has(ways.FORCE)) return { group: [as(ways.splice)] };
  if (write && has(ways.PIN) && has(ways.LONGTERM) && !has(ways.FORCE)) return { group: [as(ways.register)] };

  const brief = has(ways.FORCE) ? (write ? ways.memWrite : ways.memRead) : write ? ways.writev : ways.readv;
  const use = vocabulary.code(write ? 'hwrite' : 'hread');
  const put = vocabulary.code('put');
  const is = (at: number, code: number) => {
    const next = words[at] === undefined ? undefined : decodeOp(words[at]);
    return next?.code === code && next.y === fields.y;
  };
  if (is(k + 1, use) && is(k + 2, put)) return { group: [as(brief)] };
  if (!write && is(k + 1, put)) return { group: [as(brief)] };
  const later = (code: number) => words.some((_, at) => at > k && is(at, code));
  if (holder === 'pipe' && write && !has(ways.PIN) && !has(ways.FORCE) && !later(use)) {
    const store = encodeOp({ ...NO_FIELDS, code: vocabulary.code('write'), mm: fields.mm, page: fields.page });
    return { group: [store, as(ways.splice)], note: 'a store, then vmsplice: nobody writes through it' };
  }
  if (write && !has(ways.FORCE))
    return { group: [as(ways.register)], note: 'held as a registered buffer of io_uring, a long-term pin' };
  // Whoever does not use the handle later does not mind that it is gone.
  const handles = [use, put, vocabulary.code('hread'), vocabulary.code('hwrite')];
  if (handles.some(later))
    throw new Inexpressible(`${text}: user space can hold such a reference for the length of one call only`);
  const rest = [use, put].map((code) => encodeOp({ ...NO_FIELDS, code, y: fields.y }));
  return { group: [as(brief), ...rest], note: 'for the length of one call; nobody uses the handle later' };
}
