// Findings as GitHub Actions shows them: annotations of a step, and its summary.
import type { Notice } from './notice.js';

/** The documented escaping of a workflow command: what follows the second `::`. */
function data(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

/** The same for what stands between `::error` and the second `::`. */
function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}

/** One line. */
export function annotation({ id, slug, kernel, sentence, program, replay }: Notice): string {
  const message = `${sentence}\n${program}\nReplay with: ${replay}`;
  return `::error title=${property(`breakcow: ${slug} on ${kernel} (${id})`)}::${data(message)}`;
}

/** Text as markdown that shows just that. */
function plain(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll(/[\\`*_{}[\]()#+.!|<>&~$@-]/g, '\\$&');
}

/** Code in a line of its own within a list, fenced by more backticks than it has. */
function fenced(code: string): string {
  const longest = Math.max(2, ...[...code.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = '`'.repeat(longest + 1);
  return [`${fence}sh`, ...code.split(/\r\n?|\n/), fence].map((line) => `  ${line}`).join('\n');
}

function item({ id, slug, sentence, replay }: Notice): string {
  return `- **${plain(slug)}** ${plain(id)}: ${plain(sentence)}\n\n${fenced(replay)}\n`;
}

export interface StepSummary {
  /** Plain texts. */
  readonly title: string;
  readonly lines: readonly string[];
  readonly fresh: readonly Notice[];
  readonly known: readonly Notice[];
}

/** Markdown; starts and ends a paragraph of its own. */
export function stepSummary({ title, lines, fresh, known }: StepSummary): string {
  const accepted =
    known.length === 0
      ? []
      : [`<details><summary>Known: ${known.length}</summary>\n`, ...known.map(item), '</details>\n'];
  return [`### ${plain(title)}\n`, ...lines.map((line) => `${plain(line)}\n`), ...fresh.map(item), ...accepted].join(
    '\n',
  );
}
