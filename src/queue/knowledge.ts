// What the shards of an epoch know, as it lies in Redis under the hash of its bytes.
import { createHash } from 'node:crypto';
import type { Knowledge } from '../engine/fuzzer.js';
import { Malformed } from './check.js';
import { bytesOf, Cutter, packFrame, unpackFrame, wordsOf } from './frame.js';
import { type Limits, MOST } from './limits.js';

const PARTS = 5;

export async function packKnowledge({ coverage, states, lengths, words, keys }: Knowledge): Promise<Buffer> {
  return await packFrame({}, [coverage, states, lengths, bytesOf(words), bytesOf(keys)]);
}

export function hashOf(packed: Buffer): string {
  return createHash('sha256').update(packed).digest('hex');
}

/** In memory that threads share. Throws Malformed for other bytes than `hash` says, or what no campaign learns. */
export function unpackKnowledge(packed: Buffer, hash: string, limits: Limits): Knowledge {
  if (hashOf(packed) !== hash) throw new Malformed('knowledge: not the bytes of its hash');
  const [coverage, states, lengths, packedWords, packedKeys] = unpackFrame(packed, PARTS).parts;
  if (coverage!.length !== limits.coverageSize || states!.length !== limits.statesSize)
    throw new Malformed('knowledge: another size');
  if (lengths!.length > MOST.corpus) throw new Malformed(`knowledge: ${lengths!.length} programs`);
  const words = wordsOf('words', packedWords!, true);
  const cutter = new Cutter(words);
  for (const length of lengths!) limits.program('program of the corpus', cutter.cut(length));
  cutter.end();
  const keys = wordsOf('keys', packedKeys!, true);
  if (keys.length > MOST.keys) throw new Malformed(`knowledge: ${keys.length} keys`);
  return { coverage: shared(coverage!), states: shared(states!), lengths: shared(lengths!), words, keys };
}

function shared(bytes: Buffer): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}
