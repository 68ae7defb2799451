// Every thread makes its own subject from plain data.
import { EngineSubject } from './engine-subject.js';
import { SmallSubject } from './small.js';
import type { Subject, SubjectSpec } from './types.js';

/** Throws EngineTrap, and Error for a spec that a module refuses. */
export function makeSubject(spec: SubjectSpec): Subject {
  return spec.kind === 'engine' ? new EngineSubject(spec) : new SmallSubject(spec);
}
