// "Copy C": the program as a test in C, or why it can only be one that is skipped.
import type { Engine } from '../engine/engine.js';
import { cText } from './c-text.js';
import { Copy } from './copy.js';
import { held } from './held.js';
import type { Session } from './session.js';

export function CopyC({ engine, session }: { engine: Engine; session: Session }) {
  const text = () => {
    const { source, skips } = cText(engine, session, JSON.parse(held('c-sources')));
    return skips === undefined
      ? source
      : { text: source, note: `The C test can only say that it is skipped: ${skips}.` };
  };
  return <Copy label="Copy C" text={text} />;
}
