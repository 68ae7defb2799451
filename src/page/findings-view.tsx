// All findings of a report at a glance, to choose from.
import { printSpec } from '../text/id.js';
import type { Choice } from './boot.js';
import type { Shown } from './state.js';

interface Props {
  readonly findings: readonly Choice[];
  readonly shown: Shown;
  readonly onChoose: (choice: Choice) => void;
}

export function Findings({ findings, shown, onChoose }: Props) {
  if (findings.length < 2) return null;
  const isShown = (choice: Choice) =>
    choice.program === shown.program && printSpec(choice.spec) === printSpec(shown.spec);
  return (
    <details class="panel findings">
      <summary>
        <h2>All {findings.length} findings</h2>
      </summary>
      <ol>
        {findings.map((choice) => (
          <li key={choice.name}>
            <button type="button" aria-current={isShown(choice) ? 'true' : undefined} onClick={() => onChoose(choice)}>
              <b>{choice.name.replace(/ \(\w+\)$/, '')}</b> <code>{choice.program}</code>
            </button>
          </li>
        ))}
      </ol>
    </details>
  );
}
