import fc from 'fast-check';
import { Machine, NR_MMS, NR_PAGES } from './objects.js';

/** How fast-check drives the machine: its model-based `commands`, or one array of op words per run. */
export type FastCheckStyle = 'commands' | 'array';

export interface FastCheckOptions {
  /** Programs to run. */
  runs: number;
  /** Operations per program: exactly so many for `array`, at most for `commands`. */
  length: number;
  seed: number;
  /** The machine under test; the sound one unless told. */
  machine?: new () => Machine;
}

const BROKEN = 'an invariant of the touched entry is broken';

// What `Machine.step` takes in its low four bits, and how often of sixteen each op occurs.
const OPS = [
  { name: 'read', code: 0, weight: 4 },
  { name: 'write', code: 4, weight: 5 },
  { name: 'gup', code: 9, weight: 2 },
  { name: 'uffd', code: 11, weight: 2 },
  { name: 'zap', code: 13, weight: 2 },
  { name: 'fork', code: 15, weight: 1 },
];

/** fast-check wants a model beside the machine. The machine judges itself here, so the model only counts. */
interface Count {
  ops: number;
}

class OpCommand implements fc.Command<Count, Machine> {
  constructor(
    private readonly name: string,
    private readonly code: number,
    private readonly mm: number,
    private readonly page: number,
  ) {}

  check(): boolean {
    return true;
  }

  run(model: Count, machine: Machine): void {
    model.ops++;
    machine.step(this.code | (this.mm << 4) | (this.page << 8), 0);
    if (machine.violations > 0) throw new Error(BROKEN);
  }

  toString(): string {
    return `${this.name}(${this.mm},${this.page})`;
  }
}

// `commands` picks uniformly among its arbitraries, so an op of weight n is listed n times.
const commandArbitraries = OPS.flatMap(({ name, code, weight }) =>
  Array.from({ length: weight }, () =>
    fc
      .record({ mm: fc.nat({ max: NR_MMS - 1 }), page: fc.nat({ max: NR_PAGES - 1 }) })
      .map(({ mm, page }) => new OpCommand(name, code, mm, page)),
  ),
);

/** Runs the property and returns the number of operations executed. Throws fast-check's report when an invariant breaks. */
export function runFastCheck(style: FastCheckStyle, options: FastCheckOptions): number {
  const { runs: numRuns, length, seed, machine: MachineUnderTest = Machine } = options;
  const count: Count = { ops: 0 };
  if (style === 'commands') {
    const programs = fc.commands(commandArbitraries, { maxCommands: length, size: 'max' });
    const property = fc.property(programs, (commands) => {
      fc.modelRun(() => ({ model: count, real: new MachineUnderTest() }), commands);
    });
    fc.assert(property, { numRuns, seed });
  } else {
    const words = fc.array(fc.nat({ max: 0x3ff }), { minLength: length, maxLength: length, size: 'max' });
    const property = fc.property(words, (program) => {
      const machine = new MachineUnderTest();
      let checksum = 0;
      for (const word of program) checksum = machine.step(word, checksum);
      count.ops += program.length;
      if (machine.violations > 0) throw new Error(BROKEN);
    });
    fc.assert(property, { numRuns, seed });
  }
  return count.ops;
}
