// struct vm_fault and the locals of the op it serves. Handler functions take what they need as arguments; only a
// section that ends before its function does (a dropped lock) saves its locals here, so that any thread can go on later.
import { VMF } from './layout';

export const FAULT_FLAG_WRITE: u32 = 1;
/** Break COW explicitly, even for a read (the 2020 proposal). */
export const FAULT_FLAG_BREAK_COW: u32 = 2;
/** Make the page exclusive without writing (v5.19+). */
export const FAULT_FLAG_UNSHARE: u32 = 4;

export const VM_FAULT_OOM: u32 = 1;
export const VM_FAULT_SIGBUS: u32 = 2;
/** handle_userfault: the thread sleeps. */
export const VM_FAULT_SLEEP: u32 = 4;
export const VM_FAULT_FALLBACK: u32 = 8;
export const VM_FAULT_WRITE: u32 = 16;
/** The section ended with the page-table lock dropped (Y2); only in interleaved mode. */
export const VM_FAULT_YIELD: u32 = 32;
/** With SLEEP: for a page that is not there (else: that is write-protected). */
export const VM_FAULT_MISSING: u32 = 64;
/** A guard region. */
export const VM_FAULT_SIGSEGV: u32 = 128;

/** True while a scheduler chooses which thread steps; false = every op runs to its end. */
export let interleaved: bool = false;
export function setInterleaved(on: bool): void {
  interleaved = on;
}

// Locals of the op: what it is.
// @ts-ignore: decorator
@inline export function vmf_word(): u32 {
  return load<u32>(VMF);
}
// @ts-ignore: decorator
@inline export function vmf_index(): u32 {
  return load<u8>(VMF, 4);
}
/** Stages of the op: before its fault or after, inside wp_page_copy with the lock dropped, or just woken. */
export const VMF_RUNS: u32 = 1;
export const VMF_COPYING: u32 = 2;
export const VMF_WOKEN: u32 = 3;
// @ts-ignore: decorator
@inline export function vmf_stage(): u32 {
  return load<u8>(VMF, 5);
}
// @ts-ignore: decorator
@inline export function set_vmf_stage(stage: u32): void {
  store<u8>(VMF, stage, 5);
}
// @ts-ignore: decorator
@inline export function vmf_start(word: u32, index: u32): void {
  store<u32>(VMF, word);
  store<u8>(VMF, index, 4);
  store<u8>(VMF, VMF_RUNS, 5);
  store<u8>(VMF, 0, 6);
  store<u32>(VMF, 0, 8);
}
/** Turns of the fault or GUP loop so far. */
// @ts-ignore: decorator
@inline export function vmf_turn(): u32 {
  const n = (load<u8>(VMF, 6) as u32) + 1;
  store<u8>(VMF, n, 6);
  return n;
}
// @ts-ignore: decorator
@inline export function vmf_faulted(): bool {
  return load<u8>(VMF, 6) != 0;
}
/** FOLL_* state of the GUP loop. */
// @ts-ignore: decorator
@inline export function vmf_foll(): u32 {
  return load<u32>(VMF, 8);
}
// @ts-ignore: decorator
@inline export function set_vmf_foll(foll: u32): void {
  store<u32>(VMF, foll, 8);
}
/** Saves the locals of wp_page_copy across the dropped lock. */
export function vmf_save_copy(mm: u32, page: u32, flags: u32, orig: u64, old: u32, copy: u32): void {
  store<u8>(VMF, VMF_COPYING, 5);
  store<u8>(VMF, mm, 12);
  store<u8>(VMF, page, 13);
  store<u8>(VMF, flags, 14);
  store<u8>(VMF, old, 15);
  store<u64>(VMF, orig, 16);
  store<u8>(VMF, copy, 24);
}
// @ts-ignore: decorator
@inline export function vmf_mm(): u32 {
  return load<u8>(VMF, 12);
}
// @ts-ignore: decorator
@inline export function vmf_page(): u32 {
  return load<u8>(VMF, 13);
}
// @ts-ignore: decorator
@inline export function vmf_flags(): u32 {
  return load<u8>(VMF, 14);
}
// @ts-ignore: decorator
@inline export function vmf_old(): u32 {
  return load<u8>(VMF, 15);
}
// @ts-ignore: decorator
@inline export function vmf_orig(): u64 {
  return load<u64>(VMF, 16);
}
// @ts-ignore: decorator
@inline export function vmf_copy(): u32 {
  return load<u8>(VMF, 24);
}
