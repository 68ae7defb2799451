// The main() of a reproducer: one call for each op of a program, and the checks of what is claimed.
import type { OpInfo } from '../engine/optable.js';
import { decodeOp, MM_NAMES, type OpFields, PAGE_COUNT, pagesOf, RESULT, TARGET_MASK } from '../engine/opword.js';
import { UsageError } from '../errors.js';
import { handleNames, printOp } from '../text/print.js';
import { type Fact, factText } from './facts.js';
import { type Claim, Inexpressible, type Ktap } from './reproducer-types.js';
import type { Use } from './reproducer-uses.js';

type HandleKind = 'pipe' | 'ring';
const ADVICE = {
  madv_free: 'MADV_FREE',
  madv_cold: 'MADV_COLD',
  guard_install: 'MADV_GUARD_INSTALL',
  guard_remove: 'MADV_GUARD_REMOVE',
} as const;
const mask = (page: number): number => pagesOf(page).reduce((bits, one) => bits | (1 << one), 0);
const hex = (bits: number): string => `0x${bits.toString(16).padStart(2, '0')}`;

/** Walks the program, knowing who lives, what is mapped and which handle is what, and writes main(). */
export class Steps {
  readonly uses = new Set<Use>();
  mayFail = 0n;
  readonly #claim: Claim;
  readonly #ops: readonly OpInfo[];
  readonly #lines: string[] = [];
  readonly #mapped: (number | undefined)[] = [0, undefined, undefined];
  readonly #handles: (HandleKind | undefined)[] = [];
  /** Op of the program -> op that performs it, for those of a group. */
  readonly #performedBy = new Map<number, number>();

  constructor(claim: Claim, ops: readonly OpInfo[]) {
    this.#claim = claim;
    this.#ops = ops;
  }

  body(): string[] {
    const { words, facts, ktap } = this.#claim;
    if (ktap) this.uses.add('KTAP');
    for (const op of ktap?.may ?? []) this.mayFail |= 1n << BigInt(op);
    for (const fact of facts) if (fact.kind === 'ends') this.mayFail |= 1n << BigInt(fact.op);
    for (let k = 0; k < words.length; ) {
      if (ktap) this.#lines.push(...this.#comment(k, ktap));
      const before = this.#lines.length;
      const count = this.#op(k);
      for (const fact of facts)
        if (fact.kind === 'moved' && fact.op === k + count - 1)
          this.#lines.splice(before, 0, `note_frame(${place(fact)});`);
      const after = facts.filter((fact) => {
        const at = this.#judged(fact);
        return at !== undefined && at >= k && at < k + count;
      });
      for (const fact of after) this.#fact(fact);
      k += count;
    }
    for (const fact of facts.filter((one) => this.#judged(one) === undefined)) this.#fact(fact);
    const probes = this.uses.has('UFFD_WP_BIT') && !ktap ? ['need_uffd_wp_bit();'] : [];
    if (this.uses.has('SOFT_DIRTY') && !ktap) probes.push('need_soft_dirty();');
    return ['start();', ...probes, ...this.#lines, 'return finish();'];
  }

  /** The op after which a fact is judged; undefined = the end of the program. */
  #judged(fact: Fact): number | undefined {
    return atEnd(fact) ? this.#claim.ktap?.settled.get(fact.op) : fact.op;
  }
  #comment(k: number, { notes, own }: Ktap): string[] {
    const lead = k === own ? ['', '/* The final look: what the program did not look at itself. */'] : [];
    const note = notes.get(k);
    return [...lead, '', `/* ${k + 1}. ${JSON.parse(this.#text(k))}${note === undefined ? '' : `: ${note}`} */`];
  }

  #name(k: number): string {
    return this.#ops[decodeOp(this.#claim.words[k]!).code]!.name;
  }
  #text(from: number, to = from): string {
    const { words } = this.#claim;
    const name = handleNames(words, this.#ops);
    const texts = Array.from(words.slice(from, to + 1), (word) => printOp(word, this.#ops, name));
    return JSON.stringify(texts.join('; '));
  }
  #has(fields: OpFields, text: string): boolean {
    const { groups } = this.#ops[fields.code]!;
    const choice = groups.flatMap(({ choices }) => choices).find((one) => one.text === text);
    return choice !== undefined && (fields.flags & choice.value) === choice.value && choice.value !== 0;
  }

  #call(name: string, k: number, ...rest: (string | number)[]): void {
    this.#lines.push(`${name}(${[k, this.#text(k), ...rest].join(', ')});`);
  }
  #tell(k: number, text: string, code: string, mm: number, fields: Record<string, string | number> = {}): void {
    const all = Object.entries({ code, mm: MM_NAMES[mm]!, ...fields }).map(([name, value]) => `.${name} = ${value}`);
    this.#lines.push(`tell(${k}, ${text}, (struct command){${all.join(', ')}});`);
  }
  #skipped(k: number): number {
    this.#lines.push(`/* ${k + 1}: ${JSON.parse(this.#text(k))}: there is nothing that it applies to */`);
    return 1;
  }

  /** Writes op k, with those of its group; returns how many. */
  #op(k: number): number {
    const fields = decodeOp(this.#claim.words[k]!);
    if (fields.pair) throw new Inexpressible(`op ${k + 1}: two ops at once cannot be timed from user space`);
    const name = this.#name(k);
    const { mm } = fields;
    switch (name) {
      case 'swapoff':
        this.uses.add('SWAPOFF').add('SWAP');
        this.#call('do_swapoff', k);
        return 1;
      case 'hread':
      case 'hwrite':
      case 'put':
        return this.#handle(k, name, fields.y);
    }
    const mapped = this.#mapped[mm];
    if (mapped === undefined) return this.#skipped(k);
    switch (name) {
      case 'read':
        this.#tell(k, this.#text(k), 'DO_LOAD', mm, { pages: hex(mask(fields.page)) });
        return 1;
      case 'write':
        this.#tell(k, this.#text(k), 'DO_STORE', mm, { pages: hex(mask(fields.page)), token: k + 1 });
        return 1;
      case 'gup':
        return this.#gup(k, fields);
      case 'fork':
        if (this.#mapped[fields.y] !== undefined) return this.#skipped(k);
        this.uses.add('FORK');
        this.#mapped[fields.y] = mapped;
        this.#call('do_fork', k, MM_NAMES[mm]!, MM_NAMES[fields.y]!);
        return 1;
      case 'exit':
        this.uses.add('EXIT');
        this.#mapped[mm] = undefined;
        this.#call('do_exit', k, MM_NAMES[mm]!);
        return 1;
      case 'clear_refs':
        this.uses.add('CLEAR_REFS');
        this.#tell(k, this.#text(k), 'DO_CLEAR_REFS', mm);
        return 1;
      case 'mmap':
        return this.#mmap(k, fields, mapped);
      case 'uffd_close':
      case 'wake':
      case 'unwp':
      case 'wp':
      case 'uffd_reg':
      case 'uffd_unreg':
      case 'uffd_copy':
      case 'uffd_zeropage':
        return this.#uffd(k, name, fields, mapped);
      case 'uffd_move':
        return this.#uffdMove(k, fields, mapped);
      default:
        return this.#range(k, name, fields, mapped);
    }
  }

  #mmap(k: number, fields: OpFields, mapped: number): number {
    const pages = mask(fields.page);
    if (this.#has(fields, 'dax')) throw new Inexpressible(`op ${k + 1}: needs a DAX device`);
    if ((mapped & pages) !== 0) return this.#skipped(k);
    const thp = this.#has(fields, 'thp') && this.#claim.layout === 'pmd';
    if (thp) this.uses.add('THP');
    this.#mapped[fields.mm] = mapped | pages;
    const argument = thp ? 'MADV_HUGEPAGE' : 'MADV_NOHUGEPAGE';
    this.#tell(k, this.#text(k), 'DO_MAP', fields.mm, { pages: hex(pages), argument });
    return 1;
  }

  /** Ops on the mapped pages of a range. */
  #range(k: number, name: string, fields: OpFields, mapped: number): number {
    const pages = mapped & mask(fields.page);
    if (pages === 0) return this.#skipped(k);
    const tell = (code: string, argument?: string) =>
      this.#tell(k, this.#text(k), code, fields.mm, { pages: hex(pages), ...(argument !== undefined && { argument }) });
    switch (name) {
      case 'munmap':
        this.#mapped[fields.mm] = mapped & ~pages;
        tell('DO_UNMAP');
        return 1;
      case 'mprotect':
        tell('DO_PROTECT', this.#has(fields, 'RW') ? 'PROT_READ | PROT_WRITE' : 'PROT_READ');
        return 1;
      case 'dontneed':
        tell('DO_ADVISE', 'MADV_DONTNEED');
        return 1;
      case 'mremap':
        return this.#mremap(k, fields, mapped);
      case 'pageout':
        this.uses.add('SWAP');
        // Before a fork nobody shares a page.
        if (this.uses.has('FORK') && !this.#has(fields, 'madv')) {
          this.uses.add('RECLAIM').add('PAGEMAP');
          this.#call('do_pageout', k, MM_NAMES[fields.mm]!, hex(pages));
        } else tell('DO_ADVISE', 'MADV_PAGEOUT');
        return 1;
      case 'madv_free':
      case 'madv_cold':
      case 'guard_install':
      case 'guard_remove':
        tell('DO_ADVISE', ADVICE[name]);
        return 1;
      case 'collapse':
        if (this.#claim.layout !== 'pmd') return this.#skipped(k);
        this.mayFail |= 1n << BigInt(k);
        tell('DO_ADVISE', 'MADV_COLLAPSE');
        return 1;
      case 'populate':
        this.uses.add('POPULATE');
        tell('DO_POPULATE', this.#has(fields, 'W') ? 'MADV_POPULATE_WRITE' : 'MADV_POPULATE_READ');
        return 1;
      case 'thp_split':
        if (this.#claim.layout !== 'pmd') return this.#skipped(k);
        this.uses.add('SPLIT');
        this.mayFail |= 1n << BigInt(k);
        tell('DO_SPLIT');
        return 1;
    }
    throw new Inexpressible(`op ${k + 1}: user space has no ${name}`);
  }

  #mremap(k: number, { mm, page, flags }: OpFields, mapped: number): number {
    const [from, to] = [pagesOf(page), pagesOf(flags & TARGET_MASK)];
    if (((mapped >> from[0]!) & 1) === 0) return this.#skipped(k);
    this.uses.add('MREMAP');
    const moved = from.reduce((bits, one, i) => bits | (((mapped >> one) & 1) << to[i]!), 0);
    this.#mapped[mm] = (mapped & ~(mask(page) | mask(flags & TARGET_MASK))) | moved;
    this.#tell(k, this.#text(k), 'DO_MOVE', mm, { pages: hex(mask(page)), argument: to[0]! });
    return 1;
  }

  #uffd(k: number, name: string, fields: OpFields, mapped: number): number {
    const asked = mask(fields.page);
    const mm = MM_NAMES[fields.mm]!;
    this.uses.add('UFFD');
    if (name !== 'wp' && name !== 'uffd_reg') this.uses.add('WAKING');
    if (name === 'uffd_close') this.#call('do_close', k, mm);
    else if (name === 'wake') this.#call('do_wake', k, mm, hex(asked));
    else if ((mapped & asked) === 0) return this.#skipped(k);
    else if (name === 'uffd_unreg') this.#call('do_unregister', k, mm, hex(mapped & asked));
    else if (name === 'uffd_reg') {
      const features = [
        this.#has(fields, 'EVENT_FORK') && 'UFFD_FEATURE_EVENT_FORK',
        this.#has(fields, 'WP_UNPOPULATED') && 'WP_UNPOPULATED',
        this.#has(fields, 'EVENT_REMAP') && 'UFFD_FEATURE_EVENT_REMAP',
        this.#has(fields, 'WP_ASYNC') && 'WP_ASYNC',
        this.#has(fields, 'EVENT_REMOVE') && 'UFFD_FEATURE_EVENT_REMOVE',
        this.#has(fields, 'EVENT_UNMAP') && 'UFFD_FEATURE_EVENT_UNMAP',
      ].filter((feature) => feature !== false);
      const missing = this.#has(fields, 'MISSING') ? 'UFFDIO_REGISTER_MODE_MISSING' : undefined;
      const both = this.#has(fields, 'BOTH') ? 'UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP' : undefined;
      const mode = missing ?? both;
      if (mode !== undefined) this.uses.add('MODES');
      if (mode === undefined) this.#call('do_register', k, mm, hex(asked), features.join(' | ') || 0);
      else this.#call('do_register_as', k, mm, hex(asked), mode, features.join(' | ') || 0);
    } else if (name === 'uffd_copy' || name === 'uffd_zeropage') {
      this.uses.add('FILL');
      this.#call('do_fill', k, mm, hex(asked), name === 'uffd_zeropage' ? 1 : 0, this.#has(fields, 'WP') ? 1 : 0);
    } else this.#call('do_protect', k, mm, hex(asked), name === 'wp' ? 1 : 0);
    return 1;
  }

  #uffdMove(k: number, { mm, page, flags }: OpFields, mapped: number): number {
    const [from, to] = [pagesOf(page)[0]!, pagesOf(flags & TARGET_MASK)[0]!];
    if (((mapped >> from) & (mapped >> to) & 1) === 0) return this.#skipped(k);
    this.uses.add('UFFD').add('WAKING').add('UFFD_MOVE');
    this.#call('do_uffd_move', k, MM_NAMES[mm]!, hex(mask(page)), to);
    return 1;
  }

  /** Nobody holds what op k fails to take. */
  #take(k: number, handle: number, kind: HandleKind): void {
    const fails = ({ facts }: Claim) =>
      facts.some((fact) => fact.kind === 'ends' && fact.op === k && fact.result !== RESULT.OK);
    if (!fails(this.#claim)) this.#handles[handle] = kind;
  }

  #gup(k: number, fields: OpFields): number {
    if (this.#handles[fields.y] !== undefined) return this.#skipped(k);
    const has = (flag: string) => this.#has(fields, flag);
    for (const flag of ['BREAK_COW', 'DONT_COW', 'fast-only'])
      if (has(flag)) throw new Inexpressible(`op ${k + 1}: user space cannot ask for ${flag}`);
    const write = has('W');
    if (write && has('PIN') && has('LONGTERM')) {
      this.uses.add('IO_URING');
      this.#take(k, fields.y, 'ring');
      this.#call('do_ring_register', k, MM_NAMES[fields.mm]!, fields.page, fields.y);
      return 1;
    }
    if (has('LONGTERM')) throw new Inexpressible(`op ${k + 1}: user space cannot take a read-only long-term pin`);
    if (!write && !has('PIN') && !has('FORCE')) {
      this.uses.add('SPLICE');
      this.#take(k, fields.y, 'pipe');
      const rest = { pages: hex(mask(fields.page)), handle: fields.y };
      this.#tell(k, this.#text(k), 'DO_SPLICE', fields.mm, rest);
      return 1;
    }
    return this.#transfer(k, fields, write, has('FORCE'));
  }

  /** `gup h; hread h; put h` in one go: one call that takes the page, copies and lets go. */
  #transfer(k: number, fields: OpFields, write: boolean, force: boolean): number {
    const use = write ? 'hwrite' : 'hread';
    const names = [1, 2].map((i) => (k + i < this.#claim.words.length ? this.#name(k + i) : ''));
    const count = names[0] === 'put' ? 2 : 3;
    const same = [...Array(count).keys()].every((i) => decodeOp(this.#claim.words[k + i] ?? 0).y === fields.y);
    if (!same || (names[0] !== 'put' && (names[0] !== use || names[1] !== 'put')) || (write && count === 2))
      throw new Inexpressible(`op ${k + 1}: user space can hold such a reference for one ${use} only`);
    this.uses.add(force ? 'PROC_MEM' : 'PROCESS_VM');
    const code = force ? (write ? 'DO_MEM_WRITE' : 'DO_MEM_READ') : write ? 'DO_WRITEV' : 'DO_READV';
    const at = count === 3 ? k + 1 : k;
    for (let i = 0; i < count; i++) {
      if ((this.mayFail >> BigInt(k + i)) & 1n) this.mayFail |= 1n << BigInt(at);
      this.#performedBy.set(k + i, at);
    }
    const rest = { pages: hex(mask(fields.page)), ...(write && { token: at + 1 }) };
    this.#tell(at, this.#text(k, k + count - 1), code, fields.mm, rest);
    return count;
  }

  #handle(k: number, name: 'hread' | 'hwrite' | 'put', handle: number): number {
    const kind = this.#handles[handle];
    if (kind === undefined || (kind === 'pipe' && name === 'hwrite')) return this.#skipped(k);
    const verb = { hread: 'read', hwrite: 'write', put: 'drop' }[name];
    this.#call(`do_${kind}_${verb}`, k, handle);
    if (name === 'put') this.#handles[handle] = undefined;
    return 1;
  }

  #fact(fact: Fact): void {
    const condition = this.#condition(fact);
    const text = JSON.stringify(factText(fact));
    if (this.#claim.ktap && fact.kind === 'bit') {
      const unknown = fact.bit === 'uffd-wp' ? 'no_uffd_wp_bit()' : 'no_soft_dirty()';
      this.#lines.push(`claim_known(${unknown}, ${condition}, ${text});`);
    } else this.#lines.push(`claim(${condition}, ${text});`);
  }
  #condition(fact: Fact): string {
    const op = `ops[${this.#performedBy.get(fact.op) ?? fact.op}]`;
    switch (fact.kind) {
      case 'shows':
        return `${op}.state == ENDED && ${op}.result == OK && ${oneOf(`${op}.value`, [fact.value, ...(fact.or ?? [])])}`;
      case 'ends': {
        const ended = { [RESULT.OK]: 'OK', [RESULT.SKIP]: 'SKIPPED', [RESULT.FAULT]: 'FAULTED' }[fact.result];
        const other = { [RESULT.NOMEM]: 'NO_MEMORY', [RESULT.REFUSED]: 'REFUSED' }[fact.result];
        if (fact.result === RESULT.SLEEP) return `${op}.state == ASLEEP`;
        return `${op}.state == ENDED && ${op}.result == ${ended ?? other ?? fact.result}`;
      }
      case 'sleeps':
        return `${op}.state == ASLEEP`;
      case 'silent':
        return `${op}.events == 0 && ${op}.state == ENDED`;
      case 'wakes':
        return `ops[${fact.sleeper}].ended_in == ${fact.op}`;
      case 'asleep':
        return `ops[${fact.sleeper}].state == ASLEEP`;
      case 'bit': {
        this.uses.add('PAGEMAP').add(fact.bit === 'uffd-wp' ? 'UFFD_WP_BIT' : 'SOFT_DIRTY');
        const bit = fact.bit === 'uffd-wp' ? 'UFFD_WP' : 'SOFT_DIRTY';
        return `bit_of(${place(fact)}, ${bit}) == ${fact.set ? 1 : 0}`;
      }
      case 'faults':
        return `${op}.faults == ${fact.count}`;
    }
    this.uses.add('PAGEMAP');
    if (fact.page >= PAGE_COUNT) throw new UsageError(`no page ${fact.page}`);
    switch (fact.kind) {
      case 'entry': {
        const [present, swapped] = [`bit_of(${place(fact)}, PRESENT)`, `bit_of(${place(fact)}, SWAPPED)`];
        return fact.is === 'none' ? `!${present} && !${swapped}` : fact.is === 'present' ? present : swapped;
      }
      case 'content':
        return `content_of(${place(fact)}) == ${fact.value}`;
      case 'moved':
        return `frame_of(${place(fact)}) ${fact.moved ? '!=' : '=='} *noted(${place(fact)})`;
      case 'shared':
        return `frame_of(${place(fact)}) ${fact.same ? '==' : '!='} frame_of(${place(fact.with)})`;
    }
  }
}

/** Arguments: process and page. */
function place({ mm, page }: { readonly mm: number; readonly page: number }): string {
  return `${MM_NAMES[mm]}, ${page}`;
}

function oneOf(what: string, values: readonly number[]): string {
  const equal = values.map((value) => `${what} == ${value}`).join(' || ');
  return values.length === 1 ? equal : `(${equal})`;
}

/** Does it need the end of the program? */
function atEnd(fact: Fact): boolean {
  return fact.kind === 'shows' || fact.kind === 'ends' || fact.kind === 'faults';
}
