// The fuzzer's work area in linear memory: FUZZ_AREA .. FUZZ_AREA + FUZZ_AREA_SIZE. Blocks that TypeScript fills or
// reads are described in full; the rest is private to fuzz/.
import { COVERAGE_SIZE, FUZZ_AREA, FUZZ_AREA_SIZE, MAX_OPS, OBS_MAX, WORLD_SIZE } from '../mm/layout';

/** Strategies of fuzz_run. */
export namespace Strategy {
  /** Swarm mixes and state-aware arguments; half of the programs are mutants of the corpus. */
  export const GUIDED: u32 = 0;
  /** Uniform over ops and arguments: the baseline to beat. What it reaches is noted, but guides nothing. */
  export const RANDOM: u32 = 1;
  /** As GUIDED, but without corpus and without book-keeping of what is new. */
  export const FRESH: u32 = 2;
  export const COUNT: u32 = 3;
}

/** Choice tables (generate.ts): mm by set of mms and 4 random bits; handle by set of handles and 2 random bits. */
export const PICK_MM: usize = FUZZ_AREA;
export const PICK_HANDLE: usize = FUZZ_AREA + 128;

/** Swarm mixes: see mixes.ts. */
export const NR_MIXES: u32 = 128;
export const MIX_SIZE: usize = 1344;
export const MIXES: usize = FUZZ_AREA + 0x100;
const MIXES_END: usize = MIXES + (NR_MIXES as usize) * MIX_SIZE;

/** Words of one program, as many as there can be. */
export const PROGRAM_BYTES: usize = (MAX_OPS as usize) << 2;

/** Corpus of an epoch, filled by TypeScript: u32 count; then lengths, one u8 each; then the programs, MAX_OPS words each. */
export const CORPUS_MAX: u32 = 512;
export const CORPUS_COUNT: usize = MIXES_END;
export const CORPUS_LENGTHS: usize = CORPUS_COUNT + 16;
export const CORPUS_WORDS: usize = CORPUS_LENGTHS + (CORPUS_MAX as usize);
const CORPUS_END: usize = CORPUS_WORDS + (CORPUS_MAX as usize) * PROGRAM_BYTES;

/**
 * Programs that reached something new, in the order of their indices: u32 count, then records: u32 length, u32 number
 * of new things listed, NOVEL_NEWS u32 (a state bit, or NEWS_POINT + point id), words.
 */
export const NOVEL_MAX: u32 = 128;
export const NOVEL_NEWS: u32 = 30;
export const NEWS_POINT: u32 = 0x10000;
export const NOVEL_HEADER: usize = 8 + ((NOVEL_NEWS as usize) << 2);
export const NOVEL_RECORD: usize = NOVEL_HEADER + PROGRAM_BYTES;
export const NOVEL_COUNT: usize = CORPUS_END;
export const NOVEL: usize = NOVEL_COUNT + 16;
const NOVEL_END: usize = NOVEL + (NOVEL_MAX as usize) * NOVEL_RECORD;

/**
 * Findings of a collecting run, in the order of their indices: u32 count, then records: u32 program index, u32 number
 * of words up to the violation, u32 words after reduction, u32 mask of broken invariants, u64 counters PROGRAMS and
 * FAULTS after the violation, u64 first violation record, u32 key, u32 key of the reduced program; then the words as
 * run and the words after reduction, MAX_OPS each.
 */
export const FOUND_MAX: u32 = 96;
export const FOUND_HEADER: usize = 48;
export const FOUND_RECORD: usize = FOUND_HEADER + 2 * PROGRAM_BYTES;
export const FOUND_COUNT: usize = NOVEL_END;
export const FOUND: usize = FOUND_COUNT + 16;
const FOUND_END: usize = FOUND + (FOUND_MAX as usize) * FOUND_RECORD;

/** Keys of violations already known: a table of u32, 0 = free, and the new ones in order (u32 count, keys). */
export const KEYS_SLOTS: u32 = 16384;
export const KEYS: usize = FOUND_END;
export const NEW_KEYS_MAX: u32 = 1024;
export const NEW_KEYS_COUNT: usize = KEYS + ((KEYS_SLOTS as usize) << 2);
export const NEW_KEYS: usize = NEW_KEYS_COUNT + 16;
const NEW_KEYS_END: usize = NEW_KEYS + ((NEW_KEYS_MAX as usize) << 2);

/** The plan of a mutated program: words, or FRESH where an op is to be drawn. */
export const PLAN: usize = NEW_KEYS_END;
export const FRESH: u32 = 0xffffffff;
/** The shortest failing program so far (reduce.ts). */
export const BEST: usize = PLAN + PROGRAM_BYTES;
/** Counters while a program is reduced: that work is not the fuzzer's. */
export const SAVED_COUNTERS: usize = BEST + PROGRAM_BYTES;
/** Coverage before the program. */
export const KNOWN_POINTS: usize = SAVED_COUNTERS + 0x100;
/** Differential runs: the worlds and results of both runs, their views, one set of observations, the violations so far. */
export const MAIN_WORLD: usize = KNOWN_POINTS + COVERAGE_SIZE;
export const TWIN_WORLD: usize = MAIN_WORLD + WORLD_SIZE;
export const MAIN_RESULTS: usize = TWIN_WORLD + WORLD_SIZE;
export const TWIN_RESULTS: usize = MAIN_RESULTS + (MAX_OPS as usize);
export const MAIN_VIEW: usize = TWIN_RESULTS + (MAX_OPS as usize);
export const TWIN_VIEW: usize = MAIN_VIEW + 64;
export const MAIN_OBS_COUNT: usize = TWIN_VIEW + 64;
export const MAIN_OBS: usize = MAIN_OBS_COUNT + 16;
export const KEPT_VIOLATION: usize = MAIN_OBS + ((OBS_MAX as usize) << 2);
export const VIOLATION_BYTES: usize = 72;
const AREA_END: usize = KEPT_VIOLATION + VIOLATION_BYTES;
/** Does everything fit? Checked once, by fuzz_begin. */
export function area_fits(): bool {
  return AREA_END <= FUZZ_AREA + FUZZ_AREA_SIZE;
}

/** Row for TypeScript: "NAME \t value" of the blocks above; "" past the end. */
export function areaRow(index: u32): string {
  switch (index) {
    case 0: return "CORPUS_MAX\t" + CORPUS_MAX.toString();
    case 1: return "CORPUS_COUNT\t" + CORPUS_COUNT.toString();
    case 2: return "CORPUS_LENGTHS\t" + CORPUS_LENGTHS.toString();
    case 3: return "CORPUS_WORDS\t" + CORPUS_WORDS.toString();
    case 4: return "NOVEL_COUNT\t" + NOVEL_COUNT.toString();
    case 5: return "NOVEL\t" + NOVEL.toString();
    case 6: return "NOVEL_NEWS\t" + NOVEL_NEWS.toString();
    case 7: return "NOVEL_RECORD\t" + NOVEL_RECORD.toString();
    case 8: return "FOUND_COUNT\t" + FOUND_COUNT.toString();
    case 9: return "FOUND\t" + FOUND.toString();
    case 10: return "FOUND_HEADER\t" + FOUND_HEADER.toString();
    case 11: return "FOUND_RECORD\t" + FOUND_RECORD.toString();
    case 12: return "NEW_KEYS_COUNT\t" + NEW_KEYS_COUNT.toString();
    case 13: return "NEW_KEYS\t" + NEW_KEYS.toString();
    case 14: return "NEWS_POINT\t" + NEWS_POINT.toString();
  }
  return "";
}
