// breakcow kernels, ops, invariants: the vocabularies as the module tells them.
import { Command } from 'commander';
import { type Catalogue, type KernelInfo, type KnobInfo, knobOn } from '../engine/catalogue.js';
import { loadEngine } from '../engine/engine.js';
import { Fuzzer } from '../engine/fuzzer.js';
import type { OpInfo } from '../engine/optable.js';
import { wrap } from '../report/layout.js';
import { withJson } from './options.js';
import { bold, print, printJson } from './output.js';

function describedText(name: string, lines: readonly string[]): string {
  return [bold(name), ...lines.flatMap((line) => wrap(line, '    '))].join('\n');
}

interface KnobState extends KnobInfo {
  readonly on: boolean;
  /** Differs from the kernel that this one is described against. */
  readonly changed: boolean;
}

function knobStates(catalogue: Catalogue, kernel: KernelInfo): KnobState[] {
  const base = kernel.base === '' ? undefined : catalogue.kernel(kernel.base);
  return catalogue.knobs.map((knob) => {
    const on = knobOn(kernel.vector, knob.id);
    return { ...knob, on, changed: base !== undefined && knobOn(base.vector, knob.id) !== on };
  });
}

function kernelText(catalogue: Catalogue, kernel: KernelInfo): string {
  const states = knobStates(catalogue, kernel);
  const knob = ({ name, on, source, doc }: KnobState) => describedText(`${on ? '+' : '-'}${name}`, [source, doc]);
  const changed = states.filter((state) => state.changed);
  const kept = states.filter((state) => state.on && !state.changed);
  const lines = [bold(kernel.name), ...wrap(`${kernel.source}: ${kernel.doc}`, '  ')];
  if (kernel.base !== '') lines.push('', `Against ${kernel.base}:`, ...changed.map(knob));
  if (kernel.base !== '' && changed.length === 0) lines.push('  nothing that is modelled here');
  lines.push('', kernel.base === '' ? 'Knobs:' : `As in ${kernel.base}:`, ...kept.map(knob));
  return lines.join('\n');
}

export function kernelsCommand(): Command {
  const command = new Command('kernels')
    .summary('the kernels of the catalogue, or the knobs of one')
    .description('List the kernels, oldest first, or the knobs of one with the commit or mail of each.')
    .argument('[kernel]', 'name of a kernel')
    .option('--knobs', 'list every knob instead, also those that no kernel turns on (seeded mutants)')
    .addHelpText(
      'after',
      '\nExamples:\n  breakcow kernels\n  breakcow kernels seed        what the seed mail changes, hunk by hunk\n  breakcow kernels --knobs --json',
    );
  return withJson(command).action((name: string | undefined, options: { json?: boolean; knobs?: boolean }) => {
    const { catalogue } = loadEngine();
    const { kernels, knobs } = catalogue;
    const plain = ({ vector: _, id: __, ...kernel }: KernelInfo) => kernel;
    if (name !== undefined) {
      const kernel = catalogue.kernel(name);
      const states = knobStates(catalogue, kernel).map(({ id: _, ...knob }) => knob);
      if (options.json) printJson({ ...plain(kernel), knobs: states.filter((knob) => knob.on || knob.changed) });
      else print(kernelText(catalogue, kernel));
    } else if (options.knobs) {
      if (options.json) printJson({ knobs: knobs.map(({ id: _, ...knob }) => knob) });
      else print(knobs.map((knob) => describedText(knob.name, [`${knob.kind}: ${knob.source}`, knob.doc])).join('\n'));
    } else if (options.json) {
      printJson({ kernels: kernels.map(plain) });
    } else {
      print(kernels.map(({ name: kernel, source, doc }) => describedText(kernel, [source, doc])).join('\n'));
    }
  });
}

/** `h=gup X P R|W GET|PIN [LONGTERM] ...` */
function usage({ name, shape, groups }: OpInfo): string {
  const [assigned, ...rest] = shape.startsWith('h=') ? ['h=', shape.slice(2)] : ['', shape];
  const flags = groups.map(({ choices }) => {
    const texts = choices.map(({ text }) => text).filter((text) => text !== '');
    return texts.length === choices.length ? texts.join('|') : `[${texts.join('|')}]`;
  });
  return `${assigned}${[name, ...rest, ...flags].filter((part) => part !== '').join(' ')}`;
}

const NOTATION = `X, Y: processes A, B, C (A exists at the start); X.2 is the second thread of X.
P: one page, p0 to p7. R: a page or p0..p3, p4..p7 (one PMD each), p0..p7.
h: a GUP handle, h or h0 to h3. Operations are separated by ";", # starts a comment.
Two threads at once: [write A p0 || write A.2 p0]@212 - the digits say which of the
two takes each step; what they leave open the first one takes.`;

export function opsCommand(): Command {
  const command = new Command('ops')
    .summary('the operations of a program')
    .description('List the operations that a program is made of, with their arguments.')
    .addHelpText('after', '\nExamples:\n  breakcow ops\n  breakcow ops --json');
  return withJson(command).action((options: { json?: boolean }) => {
    const { ops } = loadEngine().catalogue;
    if (options.json) {
      printJson({
        ops: ops.map((op) => ({
          name: op.name,
          usage: usage(op),
          arguments: op.shape,
          flags: op.groups.map(({ choices }) => choices.map(({ text }) => text)),
          doc: op.doc,
        })),
      });
      return;
    }
    print([...ops.map((op) => describedText(usage(op), [op.doc])), '', NOTATION].join('\n'));
  });
}

export function invariantsCommand(): Command {
  const command = new Command('invariants')
    .summary('the promises that programs put to the test')
    .description('List the promises, with the judge of each.')
    .option('--latitude', 'list instead what two runs of a program may differ in ("breakcow fuzz --differential")')
    .addHelpText('after', '\nExamples:\n  breakcow invariants\n  breakcow invariants --latitude --json');
  return withJson(command).action((options: { json?: boolean; latitude?: boolean }) => {
    const engine = loadEngine();
    if (options.latitude) {
      const { latitudes } = new Fuzzer(engine);
      if (options.json) printJson({ latitudes });
      else
        print(
          latitudes
            .map(({ name, modes, what, why }) =>
              describedText(modes === 'all' ? name : `${name} (${modes})`, [what, why]),
            )
            .join('\n'),
        );
      return;
    }
    const { invariants } = engine.catalogue;
    if (options.json) {
      printJson({ invariants: invariants.map(({ id, ...rest }) => ({ id: `I${id}`, ...rest })) });
      return;
    }
    print(
      invariants
        .map(({ id, slug, judge: by, statement }) => describedText(`I${id} ${slug}`, [statement, `judge: ${by}`]))
        .join('\n'),
    );
  });
}
