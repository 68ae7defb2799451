// One thread's share of one level of a breadth-first search.
import { ChunkReader, ChunkWriter } from './chunks.js';
import type { Control } from './control.js';
import type { LevelResult, LevelTask } from './task.js';
import type { Subject } from './types.js';
import { Violations } from './violations.js';
import type { Visited } from './visited.js';

/**
 * Batches that a level has for each thread, if it is large enough: with few, one thread would wait for another's last.
 */
const BATCHES_PER_THREAD = 8;

/** Entries of a batch: as many as the subject takes, fewer where a level is small. The same for all threads. */
export function batchOf(subject: Subject, count: number, threads: number): number {
  return Math.max(1, Math.min(subject.batch, Math.ceil(count / (threads * BATCHES_PER_THREAD))));
}

export function runLevel(
  subject: Subject,
  visited: Visited,
  control: Control,
  budget: number,
  task: LevelTask,
): LevelResult {
  const { depth } = task;
  const before = subject.counters();
  const size = subject.entrySize(depth + 1);
  const batch = batchOf(subject, task.count, task.threads);
  const reader = new ChunkReader(task.chunks, subject.entrySize(depth), batch, control);
  const writer = new ChunkWriter(size, control, budget, task.free);
  const violations = new Violations();
  const takeViolations = () => {
    const paths = subject.takeViolations();
    if (paths.length > 0)
      violations.add(
        depth + 1,
        paths.filter(({ mask }) => (mask & ~task.known) !== 0),
      );
  };
  let expanded = 0;
  let told = before.transitions;
  visited.gate.enter();
  try {
    while (control.stopped === undefined) {
      const next = reader.next();
      if (!next) break;
      const prints = subject.expand(next.entries, next.count, depth);
      const fresh = visited.insert(prints);
      if (!fresh) break;
      const entries = subject.collect(fresh.subarray(0, prints.length));
      // After each batch, as a subject has room for some only.
      takeViolations();
      if (!writer.write(entries)) break;
      expanded += next.count;
      const { transitions } = subject.counters();
      control.addLong('expanded', next.count);
      control.addLong('found', entries.length / size);
      control.addLong('transitions', transitions - told);
      told = transitions;
    }
  } finally {
    visited.gate.leave();
  }
  takeViolations();
  const after = subject.counters();
  return {
    kind: 'level',
    expanded,
    transitions: after.transitions - before.transitions,
    exhausted: after.exhausted - before.exhausted,
    violations: violations.list(),
    ...writer.end(),
  };
}
