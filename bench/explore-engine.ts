// Exhaustive search of the engine on the repaired kernel: what a state costs in scopes of several kinds.
import { availableParallelism } from 'node:os';
import { loadEngine } from '../src/engine/engine.js';
import { alphabet } from '../src/explore/alphabet.js';
import { parseScope } from '../src/explore/scope.js';
import type { SubjectSpec, Symmetry } from '../src/explore/types.js';
import { checked, measureSearches, type Searcher, type SearchOptions, type SearchTable } from './explore.js';

interface Row {
  /** Keys other than the defaults. */
  readonly scope: string;
  readonly label: string;
  /** Levels, where the end is too far. */
  readonly depth?: number;
  readonly symmetry?: Symmetry;
  readonly workers?: number;
}

const KERNEL = { kernel: 'repaired', with: [], without: [] };
const ROWS: readonly Row[] = [
  { scope: '', label: 'default scope, to the end' },
  { scope: '', label: 'default scope, symmetry of frames, 12 levels', depth: 12, symmetry: 'frames' },
  { scope: '', label: 'default scope, no symmetry, 10 levels', depth: 10, symmetry: 'none' },
  { scope: 'gup=common', label: 'pins for writing too, 12 levels', depth: 12 },
  { scope: 'uffd=all', label: 'all of userfaultfd, 10 levels', depth: 10 },
  { scope: 'pages=2', label: '2 pages, 9 levels', depth: 9 },
  { scope: 'pmds=1', label: 'a huge page, 8 levels', depth: 8 },
  { scope: 'mms=3', label: '3 processes, 9 levels', depth: 9 },
  { scope: 'pairs=1,swap=0', label: 'two threads at once, 7 levels', depth: 7 },
];

function rows(): Row[] {
  const threads = Math.min(2, availableParallelism());
  const [first, ...others] = ROWS;
  const twice = { ...first!, label: `${first!.label}, ${threads} threads`, workers: threads };
  return [first!, ...(threads > 1 ? [twice] : []), ...others];
}

/** Throws RangeError for samples that are no positive whole number. */
export async function runEngineSearches(options: SearchOptions = {}): Promise<SearchTable> {
  const { catalogue } = loadEngine();
  const vector = catalogue.vector(KERNEL);
  const searchers = rows().map(({ scope: text, label, depth, symmetry = 'full', workers = 1 }, i): Searcher => {
    const scope = parseScope(text);
    const { alphabet: words, pairs, mms, pages } = alphabet(catalogue, scope);
    const { asleep } = scope;
    const subject: SubjectSpec = { kind: 'engine', vector, alphabet: words, pairs, mms, pages, asleep, symmetry };
    const search = () => checked({ subject, workers, ...(depth !== undefined && { depth }) });
    return { id: `engine-${i}`, label: `${label} (${words.length + pairs.length / 2} ops)`, search };
  });
  const table = await measureSearches('engine, repaired', searchers, options);
  return { ...table, reference: '' };
}
