// Runs in a Piscina thread: one subject and one hand on the visited set for the whole search, one task at a time.
import { workerData } from 'node:worker_threads';
import type { Chunk } from './chunks.js';
import { Control } from './control.js';
import { dive } from './dive.js';
import { runLevel } from './level.js';
import type { Setup, SubjectModule, Task, TaskResult } from './task.js';
import type { Subject } from './types.js';
import { Visited } from './visited.js';

interface Hands {
  readonly subject: Subject;
  readonly control: Control;
  readonly visited: Visited;
}

const setup = workerData as Setup;
let hands: Promise<Hands> | undefined;

/** Made with the first task, so that whatever goes wrong is the task's error. */
async function begin(): Promise<Hands> {
  const { makeSubject } = (await import(setup.module)) as SubjectModule;
  const control = new Control(setup.visited.control);
  const visited = new Visited(setup.visited, control.add('threads', 1));
  return { subject: await makeSubject(setup.spec, setup.data), control, visited };
}

function enterRoots({ subject, visited }: Hands): Chunk {
  const roots = subject.roots();
  const size = subject.entrySize(0);
  const prints = subject.rootFingerprints?.();
  if (prints) {
    visited.gate.enter();
    visited.insert(prints);
    visited.gate.leave();
  }
  const bytes = new SharedArrayBuffer(roots.length);
  new Uint8Array(bytes).set(roots);
  return { bytes, count: size === 0 ? 1 : roots.length / size };
}

export default async function runTask(task: Task): Promise<TaskResult> {
  hands ??= begin();
  const { subject, visited, control } = await hands;
  switch (task.kind) {
    case 'roots':
      return { kind: 'roots', roots: enterRoots(await hands) };
    case 'level':
      return runLevel(subject, visited, control, setup.visited.budget, task);
    case 'dive':
      return dive(subject, visited, control, setup.offer, setup.visited.budget, task);
  }
}
