// The worker of "Fuzz here": drives a hunt as the page orders, and tells it how far it is.
import { Engine } from '../engine/engine.js';
import { engineModule } from '../engine/module.js';
import { Hunt, type Order, type Report } from './hunt.js';

const PROGRESS_MS = 150;

const tell = (report: Report) => postMessage(report);

/** Lets orders in: a message to oneself, as timers wait 4 ms. */
const { port1, port2 } = new MessageChannel();
const breath = () =>
  new Promise<void>((resolve) => {
    port1.onmessage = () => resolve();
    port2.postMessage(undefined);
  });

let hunt: Hunt | undefined;
let running = false;
let stopping = false;

/** Until told to stop; unless `more`, also until something is found. It owes nothing when it rests. */
async function run(current: Hunt, more: boolean): Promise<void> {
  running = true;
  stopping = false;
  let found = false;
  let told = 0;
  for (let done = false; !done; ) {
    const { reducing } = current;
    const now = performance.now();
    if (now - told > PROGRESS_MS || reducing !== undefined) {
      tell({ kind: 'progress', progress: current.progress(), ...(reducing !== undefined && { reducing }) });
      told = now;
    }
    for (const news of current.step()) {
      tell({ kind: 'found', ...news });
      found = true;
    }
    await breath();
    done = (stopping && !current.owes) || (found && !more);
  }
  running = false;
  tell({ kind: 'stopped', progress: current.progress() });
}

async function obey(order: Order): Promise<void> {
  if (order.kind === 'stop') {
    stopping = true;
    return;
  }
  if (running) return;
  if (order.kind === 'start') {
    const engine = () => new Engine(engineModule(order.module));
    hunt = new Hunt(engine(), engine(), order.spec, BigInt(order.seed));
  }
  if (hunt) await run(hunt, order.kind === 'more');
}

addEventListener('message', ({ data }: MessageEvent<Order>) => {
  obey(data).catch((error: unknown) => {
    running = false;
    tell({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  });
});
