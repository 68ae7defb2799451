// The same for system calls, reclaim and the books.
import type { Scene } from './scenes.js';

export const SCENES_CALLS: readonly Scene[] = [];
