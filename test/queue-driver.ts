// A campaign over a queue in a process of its own, to be killed: argv = name and programs.
import { buildHash } from '../src/engine/load.js';
import { QueueRunner } from '../src/queue/runner.js';
import { runOn, setupOf } from './queue-processes.js';

const [campaign, programs] = process.argv.slice(2);
const url = new URL(process.env.BREAKCOW_QUEUE!);
const runner = new QueueRunner({ url, campaign: campaign!, build: buildHash(), limit: 8 });
const progress = setInterval(() => process.stdout.write(`${runner.work().programs}\n`), 20);
await runOn(runner, setupOf(Number(programs)));
clearInterval(progress);
process.stdout.write('end\n');
