// The program as a C test: what `breakcow export --c -` writes.
import type { CSources } from '../conform/reproducer-sources.js';
import type { Engine } from '../engine/engine.js';
import { type CTest, cTest } from '../export/c.js';
import { exported } from '../export/exported.js';
import type { Session } from './session.js';

export function cText(engine: Engine, { spec, words }: Session, sources: CSources): CTest {
  return cTest(engine, exported(engine, spec, words), sources);
}
