// Which step is shown: buttons, a slider, keys, and a clock that goes on by itself.
import { useEffect, useLayoutEffect, useState } from 'preact/hooks';

const PLAY_MS = 1200;

interface Props {
  readonly step: number;
  readonly steps: number;
  readonly onStep: (step: number) => void;
}

/** Keys belong to a field that takes text, or to the button that they press. */
function isTaken(event: KeyboardEvent): boolean {
  const { target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey) return true;
  if (!(target instanceof HTMLElement)) return false;
  if (target.closest('textarea, select, input')) return true;
  return event.key === ' ' && target.closest('button') !== null;
}

export function Player({ step, steps, onStep }: Props) {
  const [playing, setPlaying] = useState(false);
  useEffect(() => {
    if (!playing) return;
    if (step >= steps) {
      setPlaying(false);
      return;
    }
    const timer = setTimeout(() => onStep(step + 1), PLAY_MS);
    return () => clearTimeout(timer);
  }, [playing, step, steps, onStep]);
  const play = () => {
    if (!playing && step >= steps) onStep(0);
    setPlaying(!playing);
  };
  // With the picture, not after it: the next key may come before that.
  useLayoutEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (isTaken(event)) return;
      const actions: Record<string, () => void> = {
        ArrowRight: () => onStep(Math.min(steps, step + 1)),
        ArrowLeft: () => onStep(Math.max(0, step - 1)),
        Home: () => onStep(0),
        End: () => onStep(steps),
        ' ': play,
      };
      const action = actions[event.key];
      if (!action) return;
      event.preventDefault();
      action();
    };
    document.addEventListener('keydown', press);
    return () => document.removeEventListener('keydown', press);
  });
  const button = (label: string, sign: string, to: number) => (
    <button type="button" aria-label={label} title={label} disabled={to === step} onClick={() => onStep(to)}>
      {sign}
    </button>
  );
  return (
    <fieldset class="player" aria-label="Step through the program">
      {button('To the start (Home)', '|◀', 0)}
      {button('Step back (left arrow)', '◀', Math.max(0, step - 1))}
      <button type="button" class="play" title="Play or pause (space)" onClick={play}>
        {playing ? 'Pause' : 'Play'}
      </button>
      {button('Step forward (right arrow)', '▶', Math.min(steps, step + 1))}
      {button('To the end (End)', '▶|', steps)}
      <input
        type="range"
        aria-label="Step"
        aria-valuetext={step === 0 ? 'before the first step' : `after step ${step} of ${steps}`}
        min={0}
        max={steps}
        value={step}
        onInput={(event) => onStep(Number(event.currentTarget.value))}
      />
      <output>
        {step} / {steps}
      </output>
    </fieldset>
  );
}
