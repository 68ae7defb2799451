import assert from 'node:assert/strict';
import { it } from 'node:test';
import { startThreads } from '../src/threads.js';

// A thread ended while it loads its worker by require() now and then took the process along, in CI too: 2 of 3 runs
// of 120 pools that were ended after 20 to 220 ms. How often depends on the machine; that require() is out does not.
it('threads load their workers by import() alone', async () => {
  const threads = startThreads<undefined, boolean>(new URL('./threads-worker.js', import.meta.url), 1);
  try {
    assert.equal(await threads.run(undefined), false);
  } finally {
    await threads.destroy();
  }
});
