// The command line: commands, and what errors become.
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { EngineTrap } from '../engine/trap.js';
import { UsageError } from '../errors.js';
import { ablateCommand } from './ablate.js';
import { benchCommand } from './bench.js';
import { campaignCommand } from './campaign.js';
import { invariantsCommand, kernelsCommand, opsCommand } from './catalogue.js';
import { checkCommand } from './check.js';
import { compareCommand } from './compare.js';
import { conformCommand } from './conform.js';
import { coverageCommand } from './coverage.js';
import { exportCommand } from './export.js';
import { fuzzCommand } from './fuzz.js';
import { mutantsCommand } from './mutants.js';
import { complain, EXIT } from './output.js';
import { playgroundCommand } from './playground.js';
import { minimizeCommand, replayCommand } from './replay.js';
import { reportCommand } from './report.js';
import { scoreCommand } from './score.js';
import { workerCommand } from './worker.js';

function version(): string {
  const data: { version: string } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
  return data.version;
}

function cli(): Command {
  const program = new Command('breakcow')
    .description(
      'Puts a Linux page-fault handler on trial: fuzzes copy-on-write, get_user_pages and userfaultfd write-protect of a chosen kernel and reports the shortest way to break a promise.',
    )
    .version(version())
    .showSuggestionAfterError()
    .addHelpText(
      'after',
      `
Examples:
  breakcow fuzz --kernel v5.7 --time 10s
  breakcow replay --kernel v5.8 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; gup A p0 R GET'
  breakcow kernels seed

Exit codes: 0 nothing found, 1 a promise was broken, 2 usage error, 3 internal error.`,
    );
  const commands = [
    fuzzCommand(),
    replayCommand(),
    minimizeCommand(),
    reportCommand(),
    playgroundCommand(),
    checkCommand(),
    ablateCommand(),
    compareCommand(),
    kernelsCommand(),
    opsCommand(),
    invariantsCommand(),
    scoreCommand(),
    mutantsCommand(),
    coverageCommand(),
    conformCommand(),
    exportCommand(),
    campaignCommand(),
    workerCommand(),
    benchCommand(),
  ];
  for (const command of commands) program.addCommand(command);
  // Commands inherit neither of these through addCommand.
  for (const command of [program, ...commands]) command.exitOverride().showHelpAfterError(false);
  return program;
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.CLEAN : EXIT.USAGE;
  if (error instanceof UsageError) {
    complain(`breakcow: ${error.message}`);
    return EXIT.USAGE;
  }
  if (error instanceof EngineTrap) {
    complain(`breakcow: internal error: ${error.message}`);
    for (const frame of error.frames) complain(`    at ${frame}`);
    return EXIT.INTERNAL;
  }
  complain(`breakcow: internal error: ${error instanceof Error ? error.stack : error}`);
  return EXIT.INTERNAL;
}

// `breakcow kernels | head` closes our output early: that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  throw error;
});

try {
  await cli().parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}
