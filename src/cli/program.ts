// Where `replay` and `minimize` get their program from: its text, a file, or a finding.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Catalogue } from '../engine/catalogue.js';
import type { KernelSpec } from '../engine/types.js';
import { nearest, UsageError } from '../errors.js';
import { listFindings, readFinding, type StoredFinding } from '../findings/store.js';
import { ID_LENGTH } from '../text/id.js';
import { parseProgram } from '../text/parse.js';

export const FINDINGS = 'findings';

export interface Source {
  readonly words: Uint32Array;
  /** Kernel that a finding was found on. */
  readonly spec?: KernelSpec;
  /** The finding itself. */
  readonly stored?: StoredFinding;
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}

function parseFile(path: string, text: string, catalogue: Catalogue): Source {
  try {
    return { words: parseProgram(text, catalogue.ops) };
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`${path}: ${error.message}`);
    throw error;
  }
}

function fromFinding(path: string, catalogue: Catalogue): Source {
  const stored = readFinding(path);
  const { kernel, with: plus, without: minus, minimized } = stored;
  return { words: parseProgram(minimized, catalogue.ops), spec: { kernel, with: plus, without: minus }, stored };
}

/**
 * `text` is a program, the path of a program text or of a finding's JSON, `-` for standard input, or the id of a
 * finding in `directory`. Throws UsageError.
 */
export function readProgram(text: string, directory: string, catalogue: Catalogue): Source {
  if (text === '-') return parseFile('standard input', readFileSync(0, 'utf8'), catalogue);
  if (isFile(text)) {
    return text.endsWith('.json')
      ? fromFinding(text, catalogue)
      : parseFile(text, readFileSync(text, 'utf8'), catalogue);
  }
  const looksLikeId =
    new RegExp(`^[0-9a-z]{${ID_LENGTH}}$`).test(text) && !catalogue.ops.some(({ name }) => name === text);
  if (!looksLikeId) return { words: parseProgram(text, catalogue.ops) };
  const path = join(directory, `${text}.json`);
  if (isFile(path)) return fromFinding(path, catalogue);
  const known = listFindings(directory);
  const meant = nearest(text, known);
  const list = known.length === 0 ? 'none there' : known.join(', ');
  throw new UsageError(
    `no finding ${text} in ${directory}${meant === undefined ? '' : `; did you mean ${meant}?`}\nfindings: ${list}`,
  );
}
