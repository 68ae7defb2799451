// What the reference memory can still answer, in the encoding of a state.
import { descends, foreign, handle_life, handle_time, life, via_handle } from '../oracle/promises';
import { HANDLE_ORDER, MM_ORDER, VERSION_QUEUE } from './area';
import { is_get_for_write } from './encode-handles';
import { put, versions } from './names';

/**
 * What the reference memory can still answer: whose a value is (a lost value and a leaked one break different promises),
 * and what a write through a GET of pages shared by fork makes uncertain. Times and dead lives are no more than that.
 */
export function encode_answers(nrHeld: u32, living: u32): void {
  for (let i: u32 = 0; i < versions; i++) {
    const v: u32 = load<u8>(VERSION_QUEUE + (i as usize));
    let bits: u32 = via_handle(v) ? 1 : 0;
    for (let k: u32 = 0; k < living; k++) {
      if (foreign(v, life(load<u8>(MM_ORDER + (k as usize))))) bits |= 2 << k;
    }
    put(bits);
  }
  for (let k: u32 = 0; k < nrHeld; k++) {
    const h: u32 = load<u8>(HANDLE_ORDER + (k as usize));
    if (is_get_for_write(h)) put(descendants(h, nrHeld, living));
  }
}
/** Who came from the handle's owner since the grant, and who is the owner. */
function descendants(h: u32, nrHeld: u32, living: u32): u32 {
  const owner = handle_life(h);
  const since = handle_time(h);
  let bits: u32 = 0;
  for (let i: u32 = 0; i < living; i++) {
    if (descends(life(load<u8>(MM_ORDER + (i as usize))), owner, since)) bits |= 1 << i;
  }
  for (let i: u32 = 0; i < nrHeld; i++) {
    const who = handle_life(load<u8>(HANDLE_ORDER + (i as usize)));
    if (who == owner) bits |= 0x10 << i;
    if (descends(who, owner, since)) bits |= 0x100 << i;
  }
  return bits;
}
