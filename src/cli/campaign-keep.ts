// breakcow campaign status, list, export, verify, prune, pause, run and stop.

import { join } from 'node:path';
import { Command, Option } from 'commander';
import { loadEngine } from '../engine/engine.js';
import { UsageError } from '../errors.js';
import { openStore, saveFinding, writeWhole } from '../findings/store.js';
import { reopenCampaign } from '../night/begin.js';
import { type Wish, wish } from '../night/control.js';
import { CAMPAIGNS, findCampaign, listCampaigns, removeCampaign } from '../night/places.js';
import { verifyFindings } from '../night/verify.js';
import { RECORD } from '../report/record.js';
import { isDriven } from '../store/lock.js';
import { CampaignReader } from '../store/read.js';
import { recordOfCampaign } from '../watch/story.js';
import { campaignJson, campaignRow } from './campaign-data.js';
import { duration, statusText } from './campaign-text.js';
import { parseDuration, withJson } from './options.js';
import { complain, counted, EXIT, print, printJson, short } from './output.js';

interface Options {
  readonly dir: string;
  readonly json?: boolean;
}

const NAME = 'campaign (default: the one written last)';
const withDir = (command: Command) => command.option('--dir <directory>', 'where campaigns lie', CAMPAIGNS);

function reading<T>(directory: string, name: string | undefined, read: (reader: CampaignReader) => T): T {
  const reader = new CampaignReader(findCampaign(directory, name));
  try {
    return read(reader);
  } finally {
    reader.close();
  }
}

export function statusCommand(): Command {
  const command = new Command('status')
    .summary('what was tried, what was found, what is new, what to do next')
    .description(
      'Read a campaign in a minute, while it runs or after. New is what was found lately and by no campaign of the directory that began earlier.',
    )
    .argument('[name]', NAME)
    .addOption(
      new Option('--since <duration>', 'how long ago a finding is still new')
        .argParser(parseDuration)
        .default(parseDuration('24h'), '24h'),
    )
    .addHelpText(
      'after',
      '\nExamples:\n  breakcow campaign status\n  breakcow campaign status 2026-11-28 --since 8h --json',
    );
  return withJson(withDir(command)).action((name: string | undefined, options: Options & { since: number }) => {
    reading(options.dir, name, (reader) => {
      if (options.json) printJson(campaignJson(reader));
      else print(statusText(loadEngine(), reader, options.dir, Date.now() - options.since));
    });
  });
}

export function listCommand(): Command {
  const command = new Command('list')
    .summary('all campaigns of a directory')
    .description('List the campaigns of a directory, the one written last first.');
  return withJson(withDir(command)).action((options: Options) => {
    const rows: ReturnType<typeof campaignRow>[] = [];
    for (const name of listCampaigns(options.dir)) {
      try {
        rows.push(reading(options.dir, name, campaignRow));
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
        complain(`breakcow: left out: ${error.message}`);
      }
    }
    if (options.json) printJson(rows);
    else if (rows.length === 0) print(`no campaign in ${options.dir}`);
    for (const { name, state, seconds, programs, findings, kernels } of options.json ? [] : rows)
      print(
        `${name.padEnd(20)} ${state.padEnd(12)} ${duration(seconds).padStart(10)} ${short(programs).padStart(8)} programs ${String(findings).padStart(4)} found  ${kernels.join(', ')}`,
      );
  });
}

export function exportCommand(): Command {
  const command = new Command('export')
    .summary('its findings as a directory, as "fuzz --out" keeps them')
    .description(
      'Write each finding as JSON and as text, for "replay", "report" and "export", and the course of the campaign as campaign.json, for the overview of "report".',
    )
    .argument('[name]', NAME)
    .requiredOption('--out <directory>', 'where to')
    .addHelpText(
      'after',
      '\nExamples:\n  breakcow campaign export --out findings && breakcow report findings --html findings.html',
    );
  return withJson(withDir(command)).action((name: string | undefined, options: Options & { out: string }) => {
    openStore(options.out);
    const { catalogue } = loadEngine();
    const ids = reading(options.dir, name, (reader) => {
      const found = reader.findings();
      for (const { json, report } of found) saveFinding(options.out, json, report);
      writeWhole(join(options.out, RECORD), `${JSON.stringify(recordOfCampaign(catalogue, reader))}\n`);
      return found.map(({ id }) => id);
    });
    if (options.json) printJson({ out: options.out, findings: ids });
    else print(`${options.out}: ${counted(ids.length, 'finding')}`);
  });
}

export function verifyCommand(): Command {
  const command = new Command('verify')
    .summary('its findings under this build: still fails, fixed, fails differently')
    .description('Run the program of each finding again, on the engine of this build, and keep what came of it.')
    .argument('[name]', NAME);
  return withJson(withDir(command)).action((name: string | undefined, options: Options) => {
    const engine = loadEngine();
    const { store, config } = reopenCampaign(findCampaign(options.dir, name));
    try {
      verifyFindings(engine, store, config);
    } finally {
      store.close();
    }
    reading(options.dir, name, (reader) => {
      const rows = reader.findings().map(({ id, slug, json, verified }) => ({
        id,
        slug,
        kernel: json.kernel,
        verified,
        minimized: json.minimized,
      }));
      if (options.json) printJson(rows);
      for (const { id, slug, kernel, verified } of options.json ? [] : rows)
        print(`${id}  ${verified.padEnd(12)}  ${slug} on ${kernel}`);
      process.exitCode = rows.some(({ verified }) => verified !== 'fixed') ? EXIT.BROKEN : EXIT.CLEAN;
    });
  });
}

export function pruneCommand(): Command {
  const command = new Command('prune')
    .summary('free the space of ended campaigns')
    .description(
      'Drop what only going on needs (findings, figures and log stay), or with --remove the whole campaign. A campaign that runs is left alone.',
    )
    .argument('<names...>', 'campaigns')
    .option('--remove', 'delete them, findings and all')
    .addHelpText(
      'after',
      '\nExamples:\n  breakcow campaign prune 2026-11-01\n  breakcow campaign prune quick --remove',
    );
  return withDir(command).action((wanted: readonly string[], options: Options & { remove?: boolean }) => {
    for (const name of wanted) {
      const path = findCampaign(options.dir, name);
      if (isDriven(path)) throw new UsageError(`${name} runs: stop it first`);
      if (options.remove) {
        removeCampaign(path);
        print(`${name}: removed`);
        continue;
      }
      const { store } = reopenCampaign(path);
      try {
        store.prune();
      } finally {
        store.close();
      }
      print(`${name}: pruned`);
    }
  });
}

const WISH_DOCS: readonly [name: string, wish: Wish, doc: string][] = [
  ['pause', 'pause', 'start no new shard until "continue"'],
  ['continue', 'run', 'go on after "pause"'],
  ['stop', 'stop', 'end the run with everything kept, as Ctrl-C does'],
];

export function wishCommands(): Command[] {
  return WISH_DOCS.map(([name, what, doc]) =>
    withDir(
      new Command(name)
        .summary(doc)
        .description(`Tell the driver of a running campaign to ${doc}.`)
        .argument('[name]', NAME),
    ).action((campaign: string | undefined, { dir }: Options) => {
      const path = findCampaign(dir, campaign);
      if (!isDriven(path)) throw new UsageError(`${path} does not run`);
      wish(path, what);
      print(`${path}: asked to ${name}`);
    }),
  );
}
