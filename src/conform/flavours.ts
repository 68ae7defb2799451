// The ways of user space to take a page, and the words that stand for them.
import type { OpInfo } from '../engine/optable.js';
import type { Capability } from './observed.js';

/** Op codes and flags by the names of the table. */
export class Vocabulary {
  readonly ops: readonly OpInfo[];

  constructor(ops: readonly OpInfo[]) {
    this.ops = ops;
  }

  code(name: string): number {
    const code = this.ops.findIndex((op) => op.name === name);
    if (code < 0) throw new Error(`the table has no op ${name}`);
    return code;
  }

  /** Value of flag `text` of op `name`; 0 if the table has none. */
  flag(name: string, text: string): number {
    const { groups } = this.ops[this.code(name)]!;
    return groups.flatMap(({ choices }) => choices).find((choice) => choice.text === text)?.value ?? 0;
  }
}

/** How a handle is used: between which ops it may live. */
export type Flavour = 'held' | 'transient';

/** The one word for each way of user space to take a page; other GUP calls become the nearest of these. */
export class GupFlavours {
  readonly W: number;
  readonly PIN: number;
  readonly LONGTERM: number;
  readonly FORCE: number;
  readonly FAST: number;
  /** vmsplice into a pipe. */
  readonly splice: number;
  /** io_uring registered buffer. */
  readonly register: number;
  /** process_vm_readv and _writev of itself. */
  readonly readv: number;
  readonly writev: number;
  /** /proc/self/mem, read and written. */
  readonly memRead: number;
  readonly memWrite: number;

  constructor(vocabulary: Vocabulary) {
    const flag = (text: string) => vocabulary.flag('gup', text);
    this.W = flag('W');
    this.PIN = flag('PIN');
    this.LONGTERM = flag('LONGTERM');
    this.FORCE = flag('FORCE');
    this.FAST = flag('fast');
    this.splice = this.FAST;
    this.register = this.W | this.PIN | this.LONGTERM;
    this.readv = this.PIN;
    this.writev = this.W | this.PIN;
    this.memRead = this.FORCE;
    this.memWrite = this.W | this.FORCE;
  }

  /** Flags of the way nearest to `flags` that `can` allows; undefined if there is none. */
  nearest(flags: number, can: ReadonlySet<Capability>): number | undefined {
    const has = (bit: number) => (flags & bit) !== 0;
    const wish = has(this.W)
      ? has(this.FORCE)
        ? this.memWrite
        : has(this.PIN) && !has(this.LONGTERM)
          ? this.writev
          : this.register
      : has(this.FORCE)
        ? this.memRead
        : has(this.PIN)
          ? this.readv
          : this.splice;
    const needs = new Map<number, Capability>([
      [this.splice, 'VMSPLICE'],
      [this.register, 'IO_URING'],
      [this.readv, 'PROCESS_VM'],
      [this.writev, 'PROCESS_VM'],
      [this.memRead, 'PROC_MEM'],
      [this.memWrite, 'PROC_MEM'],
    ]);
    const rest = has(this.W) ? [this.writev, this.register] : [this.readv, this.splice];
    return [wish, ...rest].find((way) => can.has(needs.get(way)!));
  }

  flavour(flags: number): Flavour {
    return flags === this.splice || flags === this.register ? 'held' : 'transient';
  }
}
