// Random numbers: splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014). One 64-bit
// draw is enough for an op with all its arguments, and the whole state is one word, so a program costs one seeding.

const GOLDEN: u64 = 0x9e3779b97f4a7c15;
let state: u64 = 0;

// @ts-ignore: decorator
@inline export function mix64(x: u64): u64 {
  let z = x;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}
/** Key of a shard's streams. */
export function shard_key(seed: u64, shard: u32): u64 {
  return mix64(mix64(seed + GOLDEN) + (shard as u64) * GOLDEN);
}
/** Starts the stream of one program: a pure function of the shard's key and the index. */
// @ts-ignore: decorator
@inline export function seed_stream(key: u64, index: u32): void {
  state = mix64(key + (index as u64));
}
// @ts-ignore: decorator
@inline export function draw(): u64 {
  state += GOLDEN;
  return mix64(state);
}
/** 0 .. n - 1 of the low 32 bits of a draw. */
// @ts-ignore: decorator
@inline export function below(r: u64, n: u32): u32 {
  return (((r & 0xffffffff) * (n as u64)) >> 32) as u32;
}
