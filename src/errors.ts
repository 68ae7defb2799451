// Errors that the command line tells apart.

/** The caller asked for something that does not exist or makes no sense: exit code 2, no stack. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError';
}

/** Edits (insert, delete, replace, swap of neighbours) between two words. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, beforeLast[j - 2]! + 1);
      row.push(best);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}

/** The candidate that `word` was probably meant to be, or undefined if none comes close. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = word.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 2)) + 0.5;
  for (const candidate of candidates) {
    const lower = candidate.toLowerCase();
    // A piece of a long name is a likely abbreviation of it.
    const distance = wanted.length > 2 && lower.includes(wanted) ? 1 : editDistance(wanted, lower);
    if (distance < bestDistance && distance < Math.max(word.length, candidate.length)) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** "unknown KIND "word"; did you mean X? valid: a, b, c" */
export function unknownName(kind: string, word: string, valid: readonly string[]): UsageError {
  const meant = nearest(word, valid);
  const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
  return new UsageError(`unknown ${kind} "${word}"${hint}\nvalid: ${valid.join(', ')}`);
}
