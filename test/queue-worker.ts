// A worker with settings that only tests have: argv[2] as JSON.
import { QueueWorker, type WorkerSettings } from '../src/queue/worker.js';

const settings = JSON.parse(process.argv[2]!) as Partial<WorkerSettings>;
const worker = new QueueWorker({
  threads: 1,
  ...settings,
  url: new URL(process.env.BREAKCOW_QUEUE!),
  log: (event, text) => process.stdout.write(`${JSON.stringify({ event, text })}\n`),
});
process.on('SIGTERM', async () => {
  await worker.close(5000);
  process.exit();
});
await worker.start();
