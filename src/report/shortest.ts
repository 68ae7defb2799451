// What is known of programs shorter than a counterexample.
import type { Shortest } from '../findings/finding.js';

/**
 * `shortest that shows it (exhaustive to length 5)`, or how far the search for a shorter one came; '' if nobody could look.
 * A program that leaves the proof to a final look at every page and handle shows nothing.
 */
export function shortestWords({ exhaustiveTo, proven }: Shortest): string {
  if (proven) return `shortest that shows it (exhaustive to length ${exhaustiveTo})`;
  return exhaustiveTo === 0 ? '' : `no shorter one that shows it up to length ${exhaustiveTo}`;
}

/** The same as a sentence with its scope. */
export function shortestText(shortest: Shortest): string {
  const words = shortestWords(shortest);
  if (words === '') return `Shorter ones were not searched for: too many schedules of ${shortest.scope}.`;
  const { states, scope } = shortest;
  return `${words[0]!.toUpperCase()}${words.slice(1)}: ${states} states of ${scope}.`;
}
