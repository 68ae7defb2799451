// Records of a traced run (assembly/kernel/trace.ts): 16 bytes each.

export type TraceRecord =
  /** A handler passed a decision. */
  | { readonly kind: 'point'; readonly point: number }
  /** A leaf was written: level 0 PTE (index = page), 1 PMD (index = pmd), 2 PUD. */
  | {
      readonly kind: 'leaf';
      readonly level: number;
      readonly mm: number;
      readonly index: number;
      readonly entry: bigint;
    }
  /** Op `op` begins. */
  | { readonly kind: 'op'; readonly op: number }
  /** Op `which` of a concurrent pair runs a section; `waited`: it was the other one's turn, which waits for mmap_lock. */
  | { readonly kind: 'section'; readonly which: 0 | 1; readonly waited: boolean };

export function decodeTrace(bytes: Uint8Array, count: number): TraceRecord[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: count }, (_, i): TraceRecord => {
    const at = i * 16;
    const a = view.getUint8(at + 1);
    switch (view.getUint8(at)) {
      case 0:
        return { kind: 'point', point: view.getUint32(at + 4, true) };
      case 1:
        return {
          kind: 'leaf',
          level: a,
          mm: view.getUint8(at + 2),
          index: view.getUint8(at + 3),
          entry: view.getBigUint64(at + 8, true),
        };
      case 2:
        return { kind: 'op', op: a };
      default:
        return { kind: 'section', which: a === 0 ? 0 : 1, waited: view.getUint8(at + 2) !== 0 };
    }
  });
}
