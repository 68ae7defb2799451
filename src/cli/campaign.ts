// breakcow campaign: kept campaigns, for nights and for many machines.
import { Command } from 'commander';
import {
  exportCommand,
  listCommand,
  pruneCommand,
  statusCommand,
  verifyCommand,
  wishCommands,
} from './campaign-keep.js';
import { resumeCommand, startCommand } from './campaign-run.js';
import { serveCommand } from './campaign-serve.js';

export function campaignCommand(): Command {
  const command = new Command('campaign')
    .summary('campaigns that are kept: over night, over restarts, over many machines')
    .description(
      'A campaign fuzzes several kernels by turns and keeps everything in one SQLite file: whoever kills it loses the batch in flight and nothing else.',
    )
    .addHelpText(
      'after',
      `
Over night:
  breakcow campaign start --kernel v6.18 --kernel repaired --kernel seed --time 8h
  breakcow campaign serve                     a page to watch it
  breakcow campaign status                    in the morning
  breakcow campaign resume                    after a power cut, or --time 8h more

Exit codes: 0 nothing found, 1 a promise was broken, 2 usage error,
3 internal error (also: the canary was not found, or the disk is full).`,
    );
  const commands = [
    startCommand(),
    resumeCommand(),
    statusCommand(),
    listCommand(),
    serveCommand(),
    exportCommand(),
    verifyCommand(),
    pruneCommand(),
    ...wishCommands(),
  ];
  for (const one of commands) command.addCommand(one.exitOverride().showHelpAfterError(false));
  return command;
}
