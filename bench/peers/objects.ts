import { DEFAULT_SEED, type Seed, type Walk } from './walk.js';

// The small handler as one would first write it in JavaScript: classes, booleans, references, and a
// `new Page` for each allocation.

export const NR_MMS = 2;
export const NR_PAGES = 2;

class Page {
  refcount = 1;
  mapcount = 1;
  pincount = 0;
}

const ZERO_PAGE = new Page();

class Pte {
  write = false;
  dirty = false;
  accessed = false;
  uffdWp = false;
  /** null: nothing is mapped. */
  page: Page | null = null;

  set(page: Page, write: boolean, dirty: boolean, uffdWp: boolean): void {
    this.page = page;
    this.write = write;
    this.dirty = dirty;
    this.accessed = true;
    this.uffdWp = uffdWp;
  }

  clear(): void {
    this.page = null;
    this.write = false;
    this.dirty = false;
    this.accessed = false;
    this.uffdWp = false;
  }
}

class Mm {
  readonly ptes = Array.from({ length: NR_PAGES }, () => new Pte());
  pinned: Page | null = null;
}

/** One world; `step` takes a random word (op in bits 0-3, mm in bit 4, page in bit 8) and the checksum so far. */
export class Machine {
  readonly mms = Array.from({ length: NR_MMS }, () => new Mm());
  events = 0;
  violations = 0;

  step(random: number, checksum: number): number {
    const op = random & 15;
    const owner = (random >>> 4) % NR_MMS;
    const mm = this.mms[owner]!;
    const pte = mm.ptes[(random >>> 8) % NR_PAGES]!;
    if (op < 4) this.read(pte);
    else if (op < 9) this.fault(pte, true);
    else if (op < 11) this.gup(mm, pte);
    else if (op < 13) this.toggleUffdWp(pte);
    else if (op < 15) this.zap(pte);
    else this.fork(owner);
    return this.check(pte, checksum);
  }

  protected fault(pte: Pte, write: boolean): void {
    const page = pte.page;
    if (page === null) {
      pte.set(new Page(), true, true, false);
      return;
    }
    if (pte.write) {
      pte.accessed = true;
      if (write) pte.dirty = true;
      return;
    }
    if (pte.uffdWp && write) {
      this.events++;
      return;
    }
    if (page !== ZERO_PAGE && page.mapcount === 1 && page.refcount === 1) {
      pte.accessed = true;
      pte.dirty = true;
      pte.write = !pte.uffdWp;
      return;
    }
    this.putMap(page);
    pte.set(new Page(), !pte.uffdWp, true, pte.uffdWp);
  }

  private read(pte: Pte): void {
    if (pte.page === null) pte.set(ZERO_PAGE, false, false, false);
    else pte.accessed = true;
  }

  private gup(mm: Mm, pte: Pte): void {
    if (mm.pinned !== null) {
      this.unpin(mm);
      return;
    }
    this.fault(pte, false);
    const page = pte.page!;
    page.pincount++;
    page.refcount++;
    mm.pinned = page;
  }

  private unpin(mm: Mm): void {
    if (mm.pinned === null) return;
    mm.pinned.pincount--;
    mm.pinned.refcount--;
    mm.pinned = null;
  }

  private toggleUffdWp(pte: Pte): void {
    if (pte.page === null) return;
    if (pte.uffdWp) {
      pte.uffdWp = false;
    } else {
      pte.uffdWp = true;
      pte.write = false;
    }
  }

  private zap(pte: Pte): void {
    if (pte.page === null) return;
    this.putMap(pte.page);
    pte.clear();
  }

  private fork(owner: number): void {
    const parent = this.mms[owner]!;
    const child = this.mms[(owner + 1) % NR_MMS]!;
    for (const pte of child.ptes) this.zap(pte);
    this.unpin(child);
    for (let i = 0; i < NR_PAGES; i++) {
      const src = parent.ptes[i]!;
      const dst = child.ptes[i]!;
      const page = src.page;
      if (page === null) continue;
      if (page !== ZERO_PAGE && page.pincount > 0) {
        dst.set(new Page(), true, true, false);
        continue;
      }
      src.write = false;
      if (page !== ZERO_PAGE) {
        page.mapcount++;
        page.refcount++;
      }
      dst.set(page, false, src.dirty, false);
      dst.accessed = false;
    }
  }

  private putMap(page: Page): void {
    if (page === ZERO_PAGE) return;
    page.mapcount--;
    page.refcount--;
  }

  private check(pte: Pte, checksum: number): number {
    let refs = 0;
    let maps = 0;
    let flags = 0;
    const page = pte.page;
    if (page !== null) {
      flags = 1 | (pte.write ? 2 : 0) | (pte.dirty ? 4 : 0) | (pte.accessed ? 8 : 0) | (pte.uffdWp ? 16 : 0);
      if (pte.write && pte.uffdWp) this.violations++;
      if (page !== ZERO_PAGE) {
        refs = page.refcount;
        maps = page.mapcount;
        if (pte.write && maps !== 1) this.violations++;
        if (refs < maps + page.pincount) this.violations++;
      } else if (pte.write) this.violations++;
    }
    return (Math.imul(checksum, 31) + flags + (refs << 8) + (maps << 12)) | 0;
  }
}

/** The walk over objects. */
export function objectWalk(): Walk {
  let machine = new Machine();
  let state: Seed = DEFAULT_SEED;
  return {
    reset(seed) {
      machine = new Machine();
      state = seed;
    },
    run(steps, checksum) {
      let [a, b, c, d] = state;
      for (let n = 0; n < steps; n++) {
        const x = Math.imul(b, 5);
        const random = Math.imul((x << 7) | (x >>> 25), 9) >>> 0;
        const t = b << 9;
        c ^= a;
        d ^= b;
        b ^= c;
        a ^= d;
        c ^= t;
        d = (d << 11) | (d >>> 21);
        checksum = machine.step(random, checksum);
      }
      state = [a, b, c, d];
      return checksum >>> 0;
    },
    stats: () => ({ events: machine.events, violations: machine.violations }),
  };
}
