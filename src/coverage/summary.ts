// Branches by file and function, and which are never taken.
import type { Branch } from '../transform/cover.js';
import type { CoverResult } from './run.js';

export interface Share {
  readonly taken: number;
  readonly branches: number;
}

export interface FunctionShare extends Share {
  readonly name: string;
  readonly line: number;
}

export interface FileShare extends Share {
  /** `mm/memory.ts` */
  readonly name: string;
  readonly functions: readonly FunctionShare[];
  /** Never taken although what they lie in is; in the order of the text. */
  readonly never: readonly Branch[];
}

export interface CoverSummary extends Share {
  readonly files: readonly FileShare[];
}

type Covered = Pick<CoverResult, 'branches' | 'taken'>;

export function shortName(file: string): string {
  return file.replace(/^assembly\//, '');
}

export function coverSummary({ branches, taken }: Covered): CoverSummary {
  const share = (of: readonly Branch[]): Share => ({
    taken: of.filter(({ id }) => taken[id]).length,
    branches: of.length,
  });
  const files = [...new Set(branches.map(({ file }) => file))].map((file): FileShare => {
    const own = branches.filter((branch) => branch.file === file);
    const entries = own.filter(({ kind }) => kind === 'entry');
    const functions = entries.map((entry, i): FunctionShare => {
      const next = entries[i + 1]?.id ?? own.at(-1)!.id + 1;
      const inside = own.filter(({ id }) => id >= entry.id && id < next);
      return { name: entry.function, line: entry.line, ...share(inside) };
    });
    const never = own.filter(({ id, within }) => !taken[id] && (within < 0 || taken[within]));
    return { name: shortName(file), ...share(own), functions, never };
  });
  return { ...share(branches), files };
}
