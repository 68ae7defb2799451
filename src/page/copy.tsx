// Buttons that put text on the clipboard.
import { useState } from 'preact/hooks';

/** The asynchronous clipboard is missing or refused in some pages opened from disk. */
async function toClipboard(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement('textarea');
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    if (!done) throw new Error('the browser does not allow it');
  }
}

/** Text, and what to know of it. */
interface Noted {
  readonly text: string;
  readonly note: string;
}

export function Copy({ label, text }: { label: string; text: () => string | Noted }) {
  const [state, setState] = useState<string>();
  const [note, setNote] = useState('');
  const copy = async () => {
    setNote('');
    try {
      const made = text();
      await toClipboard(typeof made === 'string' ? made : made.text);
      setState('copied');
      if (typeof made !== 'string') setNote(made.note);
    } catch (error) {
      setState(`not copied: ${error instanceof Error ? error.message : error}`);
    }
    setTimeout(() => setState(undefined), 2000);
  };
  return (
    <>
      <button type="button" title={note === '' ? undefined : note} onClick={copy}>
        {label}
        <span role="status">{state === undefined ? '' : `: ${state}`}</span>
      </button>
      <p class="note" role="status" hidden={note === ''}>
        {note}
      </p>
    </>
  );
}
