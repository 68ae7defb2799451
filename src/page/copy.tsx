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

export function Copy({ label, text }: { label: string; text: () => string }) {
  const [state, setState] = useState<string>();
  const copy = async () => {
    try {
      await toClipboard(text());
      setState('copied');
    } catch (error) {
      setState(`not copied: ${error instanceof Error ? error.message : error}`);
    }
    setTimeout(() => setState(undefined), 2000);
  };
  return (
    <button type="button" onClick={copy}>
      {label}
      <span role="status">{state === undefined ? '' : `: ${state}`}</span>
    </button>
  );
}
