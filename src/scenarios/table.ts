// The scenarios. A milestone is a change of state or something seen; whoever adds one adds its program, and one that just
// misses it, to test/scenarios.test.ts.
import {
  done,
  frameAt,
  holds,
  leafAt,
  newly,
  present,
  sharers,
  special,
  stored,
  swapped,
  taken,
  unmapped,
  when,
} from './look.js';
import type { Bound, Scenario, Stage, Step } from './types.js';

function stage(milestone: string, reached: (step: Step, bound: Bound) => Iterable<Bound>): Stage {
  return { milestone, when: reached };
}

/** A pin, then something done to the process, then a store of the owner that must go to the pinned page. */
function pinSurvives(name: string, doc: string, middle: Stage): Scenario {
  return {
    name,
    doc,
    stages: [
      stage('a page is pinned', (step) =>
        taken(step)
          .filter(({ op, frame }) => op?.words.includes('PIN') && frame >= 0)
          .map(({ handle, mm, page, frame }) => ({ handle, mm, page, frame })),
      ),
      middle,
      stage('its owner stores to the very page', (step, bound) =>
        when(stored(step, bound) && frameAt(step.after, bound.mm!, bound.page!) === bound.frame),
      ),
    ],
    undone: (step, bound) => !holds(step.after, bound.handle!) || unmapped(step, bound),
  };
}

/** A bit of an entry goes to swap and comes back. `middle`: how it comes back. */
function throughSwap(name: string, doc: string, bit: string, back: string, how: (step: Step) => boolean): Scenario {
  return {
    name,
    doc,
    stages: [
      stage(`a page has ${bit}`, (step) =>
        newly(step, (world, mm, page) => present(leafAt(world, mm, page), bit) && frameAt(world, mm, page) >= 0),
      ),
      stage('it is swapped out with it', ({ after }, { mm, page }) => when(swapped(leafAt(after, mm!, page!), bit))),
      stage(back, (step, { mm, page }) => when(how(step) && present(leafAt(step.after, mm!, page!), bit))),
    ],
    undone: ({ after }, { mm, page }) => {
      const leaf = leafAt(after, mm!, page!);
      return !present(leaf, bit) && !swapped(leaf, bit);
    },
  };
}

const anyway = () => true;

export const SCENARIOS: readonly Scenario[] = [
  pinSurvives(
    'a pin survives fork',
    'A page is pinned, its process forks, and a store of the owner still goes to the pinned page.',
    stage('its process forks', (step, { mm }) => when(done(step, 'fork', mm) !== undefined)),
  ),
  pinSurvives(
    'a pin survives reclaim',
    'A page is pinned, reclaim comes by, and a store of the owner still goes to the pinned page.',
    stage('reclaim comes by', (step, { mm, page }) =>
      when(step.ops.some((op) => op.name === 'pageout' && op.ok && op.mm === mm && op.pages.includes(page!))),
    ),
  ),
  throughSwap(
    'uffd-wp through swap and back',
    'A protected page is swapped out and comes back by a fault, still protected.',
    'U',
    'a fault brings it back with it',
    (step) => done(step, 'swapoff') === undefined,
  ),
  throughSwap(
    'uffd-wp through swapoff',
    'A protected page is swapped out, and swapoff brings it back, still protected.',
    'U',
    'swapoff brings it back with it',
    (step) => done(step, 'swapoff') !== undefined,
  ),
  throughSwap(
    'soft-dirty through swap and back',
    'A page that was written to since clear_refs is swapped out and comes back, still soft-dirty.',
    'SD',
    'it comes back with it',
    anyway,
  ),
  {
    name: 'reuse after the sharer exits',
    doc: 'Two processes share a page, one exits, and a store of the other takes the page without a copy.',
    stages: [
      stage('two processes share a page', (step) =>
        newly(step, (world, mm, page) => sharers(world, frameAt(world, mm, page)).length > 1).map((bound) => ({
          ...bound,
          frame: frameAt(step.after, bound.mm!, bound.page!),
        })),
      ),
      stage('the other one exits', (step, { mm, frame }) =>
        when(step.ops.some(({ name, ok }) => name === 'exit' && ok) && sharers(step.after, frame!).join() === `${mm}`),
      ),
      stage('a store takes the page as it is', (step, bound) =>
        when(stored(step, bound) && present(leafAt(step.after, bound.mm!, bound.page!), 'W')),
      ),
    ],
    undone: ({ after }, { mm, page, frame }) => frameAt(after, mm!, page!) !== frame,
  },
  {
    name: 'the last of three takes the page',
    doc: 'Three processes share a page; when only one is left, its store needs no copy.',
    stages: [
      stage('three processes share a page', (step) =>
        newly(step, (world, mm, page) => sharers(world, frameAt(world, mm, page)).length > 2).map((bound) => ({
          ...bound,
          frame: frameAt(step.after, bound.mm!, bound.page!),
        })),
      ),
      stage('two of them let go of it', ({ after }, { mm, frame }) => when(sharers(after, frame!).join() === `${mm}`)),
      stage('a store takes the page as it is', (step, bound) =>
        when(stored(step, bound) && present(leafAt(step.after, bound.mm!, bound.page!), 'W')),
      ),
    ],
    undone: ({ after }, { mm, page, frame }) => frameAt(after, mm!, page!) !== frame,
  },
  {
    name: 'a read pin unshares',
    doc: 'A page is shared; a pin for reading gets a page of its own, without any store.',
    stages: [
      stage('two processes share a page', (step) =>
        newly(step, (world, mm, page) => sharers(world, frameAt(world, mm, page)).length > 1).map((bound) => ({
          ...bound,
          frame: frameAt(step.after, bound.mm!, bound.page!),
        })),
      ),
      stage('a pin for reading gets another page', (step, { mm, page, frame }) =>
        taken(step)
          .filter((one) => one.mm === mm && one.page === page && one.frame >= 0 && one.frame !== frame)
          .filter(({ op }) => op?.words.includes('R') && op.words.includes('PIN'))
          .map(({ frame: own }) => ({ own })),
      ),
    ],
    undone: ({ after }, { mm, page, frame }) => frameAt(after, mm!, page!) !== frame,
  },
  {
    name: 'a long-term pin of the zero page',
    doc: 'A page reads as zero from the shared zero page; a long-term pin gets a page of its own.',
    stages: [
      stage('a page is the zero page', (step) =>
        newly(step, (world, mm, page) => special(world, mm, page) && leafAt(world, mm, page).level !== 'PUD'),
      ),
      stage('a long-term pin gets an ordinary page', (step, { mm, page }) =>
        taken(step)
          .filter((one) => one.mm === mm && one.page === page && one.frame >= 0)
          .filter(({ op }) => op?.words.includes('LONGTERM'))
          .map(({ frame }) => ({ frame })),
      ),
    ],
    undone: ({ after }, { mm, page }) => !special(after, mm!, page!),
  },
  {
    name: 'a sleeper finishes its store',
    doc: 'A store of a protected page becomes an event; later the thread wakes, and the store is done.',
    stages: [
      stage('a store becomes an event', ({ seen, after }) =>
        seen
          .filter(({ kind, op }) => kind === 'event' && after.sleepers.some((sleeper) => sleeper.op === op))
          .map(({ mm, page, op }) => ({ mm, page, op })),
      ),
      stage('it wakes', ({ after }, { op }) => when(!after.sleepers.some((sleeper) => sleeper.op === op))),
      stage('and has stored', ({ seen }, { op }) => when(seen.some((one) => one.kind === 'store' && one.op === op))),
    ],
  },
  {
    name: 'a marker becomes a protected page',
    doc: 'A page that was never touched is protected by a marker; the page that a fault maps there is protected.',
    stages: [
      stage('a marker stands for a page', (step) =>
        newly(step, (world, mm, page) => leafAt(world, mm, page).kind === 'marker'),
      ),
      stage('a fault maps a protected page', ({ after }, { mm, page }) =>
        when(present(leafAt(after, mm!, page!), 'U')),
      ),
      stage('the protection is taken away, and a store done', (step, bound) => when(stored(step, bound))),
    ],
    undone: (step, bound) => unmapped(step, bound) || leafAt(step.after, bound.mm!, bound.page!).kind === 'none',
  },
  {
    name: 'a pinned THP is split',
    doc: 'A huge page is pinned, its PMD is split, and the owner still stores to the pinned page.',
    stages: [
      stage('a huge page is pinned', (step) =>
        taken(step)
          .filter(({ mm, page, frame }) => frame >= 0 && leafAt(step.after, mm, page).level === 'PMD')
          .map(({ handle, mm, page, frame }) => ({ handle, mm, page, frame })),
      ),
      stage('its PMD is split', ({ before, after }, { mm, page }) =>
        when(
          leafAt(before, mm!, page!).level === 'PMD' &&
            present(leafAt(after, mm!, page!)) &&
            leafAt(after, mm!, page!).level === 'PTE',
        ),
      ),
      stage('its owner stores to the very page', (step, bound) =>
        when(stored(step, bound) && frameAt(step.after, bound.mm!, bound.page!) === bound.frame),
      ),
    ],
    undone: (step, bound) => !holds(step.after, bound.handle!) || unmapped(step, bound),
  },
  {
    name: 'a THP through swap',
    doc: 'A huge page is swapped out as a whole and comes back in pieces.',
    stages: [
      stage('a huge page is mapped', (step) =>
        newly(
          step,
          (world, mm, page) => leafAt(world, mm, page).level === 'PMD' && frameAt(world, mm, page) >= 0,
        ).filter(({ page }) => (page! & 3) === 0),
      ),
      stage('all of it is swapped out', ({ after }, { mm, page }) =>
        when([0, 1, 2, 3].every((i) => swapped(leafAt(after, mm!, page! + i)))),
      ),
      stage('a piece comes back', ({ after }, { mm, page }) =>
        when([0, 1, 2, 3].some((i) => present(leafAt(after, mm!, page! + i)))),
      ),
    ],
    undone: (step, bound) => unmapped(step, bound),
  },
  {
    name: 'mprotect gives the write bit back',
    doc: 'A writable page becomes read-only and is writable again at once, without a fault.',
    stages: [
      stage('a page is writable', (step) => newly(step, (world, mm, page) => present(leafAt(world, mm, page), 'W'))),
      stage('mprotect takes the write bit', (step, { mm, page }) =>
        when(done(step, 'mprotect', mm) !== undefined && !present(leafAt(step.after, mm!, page!), 'W')),
      ),
      stage('mprotect gives it back', (step, { mm, page }) =>
        when(done(step, 'mprotect', mm) !== undefined && present(leafAt(step.after, mm!, page!), 'W')),
      ),
    ],
    undone: (step, bound) => unmapped(step, bound) || !present(leafAt(step.after, bound.mm!, bound.page!)),
  },
  {
    name: 'a NUMA hint gives the write bit back',
    doc: 'A writable page gets a NUMA hint, and a load makes it writable again.',
    stages: [
      stage('a page is writable', (step) =>
        newly(step, (world, mm, page) => present(leafAt(world, mm, page), 'P', 'W')),
      ),
      stage('it gets a hint', ({ after }, { mm, page }) => when(present(leafAt(after, mm!, page!), 'N'))),
      stage('a load makes it writable', (step, { mm, page }) =>
        when(!stored(step, { mm: mm!, page: page! }) && present(leafAt(step.after, mm!, page!), 'P', 'W')),
      ),
    ],
    undone: (step, bound) => !present(leafAt(step.after, bound.mm!, bound.page!)),
  },
  {
    name: 'a copy meets a changed entry',
    doc: 'While a fault copies a page, another thread changes the entry: the copy is dropped.',
    stages: [
      stage('a page needs a copy to be written', (step) =>
        newly(
          step,
          (world, mm, page) => special(world, mm, page) || sharers(world, frameAt(world, mm, page)).length > 1,
        ),
      ),
      stage('two threads are at it at once', ({ ops }, { mm, page }) =>
        when(ops.length > 1 && ops.filter((op) => op.mm === mm && op.pages.includes(page!)).length > 1),
      ),
      stage('a fault finds its entry changed', ({ raced }) => when(raced)),
    ],
  },
  {
    name: 'a protected page moves',
    doc: 'A page with uffd-wp moves to another address and is protected there.',
    stages: [
      stage('a page is protected', (step) =>
        newly(step, (world, mm, page) => present(leafAt(world, mm, page), 'U') && frameAt(world, mm, page) >= 0).map(
          (bound) => ({
            ...bound,
            frame: frameAt(step.after, bound.mm!, bound.page!),
          }),
        ),
      ),
      stage('it is at another address', ({ after }, { mm, page, frame }) =>
        [...after.mms[mm!]!.leaves.keys()]
          .filter((to) => to !== page && frameAt(after, mm!, to) === frame)
          .map((to) => ({ to })),
      ),
      stage('and protected there', ({ after }, { mm, to }) => when(present(leafAt(after, mm!, to!), 'U'))),
    ],
    undone: (step, { mm, page, to, frame }) => frameAt(step.after, mm!, to ?? page!) !== frame,
  },
  {
    name: 'a freed page is kept by a store',
    doc: 'MADV_FREE leaves a page to reclaim, a store takes it back, and reclaim writes it to swap.',
    stages: [
      stage('a page is left to reclaim', (step) =>
        newly(step, (world, mm, page) => world.pages[frameAt(world, mm, page)]?.lazyfree === true),
      ),
      stage('a store takes it back', (step, bound) => when(stored(step, bound))),
      stage('it is swapped out', ({ after }, { mm, page }) => when(swapped(leafAt(after, mm!, page!)))),
    ],
    undone: (step, bound) => unmapped(step, bound) || leafAt(step.after, bound.mm!, bound.page!).kind === 'none',
  },
];
