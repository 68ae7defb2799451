// How a kernel is judged: plainly, or by the difference of two runs (assembly/fuzz/differential.ts), or costs too. A knob of
// the trial says so, and travels with the kernel's name.
import { UsageError, unknownName } from '../errors.js';
import type { Catalogue } from './catalogue.js';
import type { KernelSpec } from './types.js';

const PREFIX = 'differential.';
const COSTS = 'judge.warnings';

/** The modes that the module knows. */
export function differentialModes(catalogue: Catalogue): string[] {
  return catalogue.knobs.filter(({ name }) => name.startsWith(PREFIX)).map(({ name }) => name.slice(PREFIX.length));
}

/** The mode that a kernel is tried in; undefined: the plain judges judge. */
export function differentialOf({ with: plus, without: minus }: KernelSpec): string | undefined {
  return plus.find((name) => name.startsWith(PREFIX) && !minus.includes(name))?.slice(PREFIX.length);
}

/** Slug of the promise that such a trial is about; undefined: all that the plain judges judge. */
export function onlyJudged(spec: KernelSpec): string | undefined {
  const mode = differentialOf(spec);
  if (mode === undefined) return undefined;
  return mode === 'permission' ? 'permission-gained' : 'batch-differs';
}

/** The kernel tried in `mode`. Throws UsageError for a mode that does not exist, and for two at once. */
export function inDifferential(spec: KernelSpec, mode: string | undefined, catalogue: Catalogue): KernelSpec {
  const modes = differentialModes(catalogue);
  if (mode !== undefined && !modes.includes(mode)) throw unknownName('differential mode', mode, modes);
  const name = `${PREFIX}${mode}`;
  const plus = mode === undefined || spec.with.includes(name) ? spec.with : [...spec.with, name];
  if (plus.filter((knob) => knob.startsWith(PREFIX)).length > 1)
    throw new UsageError('a program runs in one differential mode at a time');
  return { ...spec, with: plus };
}

/** The kernel with costs judged, too. */
export function withCosts(spec: KernelSpec): KernelSpec {
  return spec.with.includes(COSTS) ? spec : { ...spec, with: [...spec.with, COSTS] };
}

/** The knob that asks for other judges than the plain ones; undefined: none does. */
export function askedJudges({ with: plus, without: minus }: KernelSpec): string | undefined {
  return plus.find((name) => (name.startsWith(PREFIX) || name === COSTS) && !minus.includes(name));
}

/** Throws UsageError if the kernel is to be tried in a way that `command` does not know. */
export function refuseOtherJudges(spec: KernelSpec, command: string): void {
  const name = askedJudges(spec);
  if (name !== undefined)
    throw new UsageError(
      `${command} has the plain judges only: ${name} is for fuzz, campaign, replay, minimize and report`,
    );
}
