// What a program needs of the place where it runs, told from its ops.
import type { OpInfo } from '../engine/optable.js';
import { decodeOp } from '../engine/opword.js';
import type { Backend, Capability, PageLayout } from './observed.js';

/** Holding a read-only pin, long-term: no capability of the executor, for no system call does it. */
type Need = Capability | 'READ_PIN_LONGTERM';

/** Why `backend` cannot run the program as it stands, or undefined. A model can run everything. */
export function whyNot(
  backend: Backend,
  words: Uint32Array,
  layout: PageLayout,
  ops: readonly OpInfo[],
): string | undefined {
  if (backend.release.startsWith('model ')) return undefined;
  for (const need of needs(words, layout, ops)) {
    if (need === 'READ_PIN_LONGTERM') return 'user space cannot take a read-only long-term pin';
    if (backend.can.has(need)) continue;
    const name = need.toLowerCase().replaceAll('_', '-');
    return backend.missing.find((line) => line.startsWith(`${name}:`)) ?? `${name} is missing here`;
  }
  return undefined;
}

function needs(words: Uint32Array, layout: PageLayout, ops: readonly OpInfo[]): Set<Need> {
  const found = new Set<Need>();
  if (layout === 'pmd') found.add('THP');
  for (const [i, word] of words.entries()) {
    const { code, flags } = decodeOp(word);
    const op = ops[code]!;
    const has = (text: string) => {
      const value = op.groups.flatMap(({ choices }) => choices).find((choice) => choice.text === text)?.value ?? 0;
      return value !== 0 && (flags & value) === value;
    };
    switch (op.name) {
      case 'pageout':
      case 'swapoff':
        found.add('SWAP');
        break;
      case 'clear_refs':
        found.add('SOFT_DIRTY');
        break;
      case 'uffd_reg':
        found.add('UFFD_WP');
        if (has('EVENT_FORK')) found.add('EVENT_FORK');
        if (has('WP_UNPOPULATED')) found.add('WP_UNPOPULATED');
        break;
      case 'gup': {
        const next = ops[decodeOp(words[i + 2] ?? 0).code]!.name;
        found.add(needOfGup(has('W'), has('PIN'), has('LONGTERM'), has('FORCE'), next === 'put'));
        break;
      }
    }
  }
  return found;
}

function needOfGup(write: boolean, pin: boolean, longterm: boolean, force: boolean, atOnce: boolean): Need {
  if (force) return 'PROC_MEM';
  if (write) return pin && longterm ? 'IO_URING' : 'PROCESS_VM';
  if (!pin) return 'VMSPLICE';
  return longterm ? 'READ_PIN_LONGTERM' : atOnce ? 'PROCESS_VM' : 'HOLD_PIN';
}
