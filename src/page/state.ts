// What the page shows, as the fragment of its address: a link carries everything.
import type { KernelSpec } from '../engine/types.js';

export interface Shown {
  readonly program: string;
  readonly spec: KernelSpec;
  /** How many steps have been made; undefined = all of them. */
  readonly step?: number;
}

/** `#k=v5.7&with=a,b&without=c&s=3&p=mmap+A+p0`. */
export function toFragment({ program, spec, step }: Shown): string {
  const fields = new URLSearchParams({ k: spec.kernel });
  if (spec.with.length > 0) fields.set('with', spec.with.join(','));
  if (spec.without.length > 0) fields.set('without', spec.without.join(','));
  if (step !== undefined) fields.set('s', String(step));
  fields.set('p', program);
  return `#${fields}`;
}

/** Undefined if the fragment names no program. Its values may be anything: nothing here is believed to be a name. */
export function fromFragment(fragment: string): Shown | undefined {
  const fields = new URLSearchParams(fragment.replace(/^#/, ''));
  const program = fields.get('p');
  if (program === null) return undefined;
  const list = (name: string) => (fields.get(name) ?? '').split(',').filter((knob) => knob !== '');
  const step = /^\d{1,3}$/.exec(fields.get('s') ?? '');
  return {
    program,
    spec: { kernel: fields.get('k') ?? 'seed', with: list('with'), without: list('without') },
    ...(step && { step: Number(step[0]) }),
  };
}

/** Knobs as people type them: `+copy.keeps_uffd_wp -gup.as_write`; a bare name is turned on. */
export function parseKnobs(text: string): Pick<KernelSpec, 'with' | 'without'> {
  const words = text.split(/[\s,]+/).filter((word) => word !== '');
  const bare = (word: string) => word.replace(/^[+-]/, '');
  return {
    with: words.filter((word) => !word.startsWith('-')).map(bare),
    without: words.filter((word) => word.startsWith('-')).map(bare),
  };
}

export function printKnobs({ with: plus, without: minus }: Pick<KernelSpec, 'with' | 'without'>): string {
  return [...plus.map((name) => `+${name}`), ...minus.map((name) => `-${name}`)].join(' ');
}
