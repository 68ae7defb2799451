// Migration and KSM.
import { ksm_madvise } from '../mm/ksm';
import { migrate_folio_move, migrate_folio_unmap, migrate_folios_move } from '../mm/migrate';
import { any_migrating, NO_PAGE } from '../mm/page';
import { done } from './calls';
import { Op, R } from './table';

/** Of the ops beyond the core, those that meet migration entries. The others wait until no migration is under way. */
export function waits_for_migrations(op: u32): bool {
  switch (op) {
    case Op.MREMAP:
    case Op.MIGRATE:
    case Op.MIGRATE_BEGIN:
    case Op.MIGRATE_END:
    case Op.MERGEABLE:
    case Op.UNMERGEABLE:
    case Op.KSM_MERGE: return false;
  }
  return true;
}

/** migrate, or its first half: all are unmapped, then each is moved; a huge page goes as a whole. */
export function op_migrate(mm: u32, mask: u32, whole: bool, index: u32): u32 {
  let isolated: u32 = 0;
  for (let rest = mask; rest != 0; rest &= rest - 1) {
    const head = migrate_folio_unmap(mm, ctz(rest));
    if (head != NO_PAGE) isolated |= 1 << head;
  }
  if (whole) for (let rest = isolated; rest != 0; rest &= rest - 1) migrate_folio_move(ctz(rest));
  return done(index);
}
export function op_migrate_end(index: u32): u32 {
  if (!any_migrating()) return R.SKIP;
  migrate_folios_move();
  return done(index);
}
export function op_ksm_madvise(mm: u32, mask: u32, merge: bool, index: u32): u32 {
  return ksm_madvise(mm, mask, merge) ? done(index) : R.NOMEM;
}
