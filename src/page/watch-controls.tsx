// Buttons that pause, continue, stop and resume, for whoever has the token.
import { useEffect, useState } from 'preact/hooks';
import type { Action, Status } from '../watch/wire.js';
import { ask, forgetToken, keepToken } from './watch-token.js';

const LABELS: Readonly<Record<Action, string>> = {
  pause: 'Pause',
  continue: 'Continue',
  stop: 'Stop',
  resume: 'Resume',
};
const HINTS: Readonly<Record<Action, string>> = {
  pause: 'Start nothing new until it is continued',
  continue: 'Go on',
  stop: 'End the run with everything kept; it can be resumed',
  resume: 'Go on in a process of its own, which outlives this server',
};
const MORE: readonly (readonly [time: string, label: string])[] = [
  ['30m', '30 min more'],
  ['1h', '1 h more'],
  ['8h', '8 h more'],
  ['1d', '1 day more'],
];
/** A driver looks for wishes twice a second, unless it is at its last findings. */
const HEARD_MS = 15_000;

function TokenForm({ onToken }: { onToken: (token: string) => void }) {
  const [wrong, setWrong] = useState('');
  const [busy, setBusy] = useState(false);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const token = String(new FormData(form).get('token') ?? '').trim();
    if (token === '') return;
    setBusy(true);
    const { ok, refused, text } = await ask('/token', token);
    setBusy(false);
    if (ok) onToken(token);
    else setWrong(refused ? 'That is not the token.' : text);
  };
  return (
    <form class="controls" onSubmit={submit}>
      <span class="quiet">Read-only.</span>
      <label>
        <span class="spoken">Token</span>
        <input
          name="token"
          type="password"
          autoComplete="off"
          placeholder="token"
          aria-describedby="token-help"
          title="as &quot;breakcow campaign serve&quot; printed it when it began"
        />
      </label>
      <button type="submit" disabled={busy}>
        Unlock
      </button>
      <span id="token-help" class={wrong === '' ? 'quiet' : 'bad'} role="status">
        {wrong === '' ? 'The token that the server printed unlocks the buttons.' : wrong}
      </span>
    </form>
  );
}

interface Props {
  readonly name: string;
  readonly token: string;
  readonly status: Status;
}

export function Controls({ name, token: given, status }: Props) {
  const [token, setToken] = useState(given);
  const [told, setTold] = useState('');
  const [failed, setFailed] = useState(false);
  const [pending, setPending] = useState<Action>();
  const [more, setMore] = useState('8h');
  const { state, can, cannot } = status;
  useEffect(() => {
    setPending(undefined);
    if (!failed) setTold('');
  }, [state]);
  useEffect(() => {
    if (!pending) return;
    const timer = setTimeout(() => {
      setPending(undefined);
      setTold('Not heard yet: it may be at its last findings.');
    }, HEARD_MS);
    return () => clearTimeout(timer);
  }, [pending]);
  const press = async (action: Action) => {
    setPending(action);
    setFailed(false);
    setTold('');
    const body = action === 'resume' && state === 'done' ? { time: more } : undefined;
    const answer = await ask(`/campaign/${encodeURIComponent(name)}/${action}`, token, body);
    if (answer.refused) {
      forgetToken();
      setToken('');
    }
    if (!answer.ok) setPending(undefined);
    setFailed(!answer.ok);
    setTold(answer.text);
  };
  const unlock = (next: string) => {
    keepToken(next);
    setToken(next);
  };
  if (token === '') return <TokenForm onToken={unlock} />;
  return (
    <div class="controls">
      {state === 'done' && can.includes('resume') && (
        <label>
          <span class="spoken">How much more</span>
          <select value={more} onChange={(event) => setMore(event.currentTarget.value)}>
            {MORE.map(([time, label]) => (
              <option key={time} value={time}>
                {label}
              </option>
            ))}
          </select>
        </label>
      )}
      {can.map((action) => (
        <button
          key={action}
          type="button"
          title={HINTS[action]}
          disabled={pending !== undefined}
          onClick={() => press(action)}
        >
          {LABELS[action]}
        </button>
      ))}
      {cannot !== '' && <span class="quiet">It cannot be resumed here: {cannot}.</span>}
      <span role="status" class={failed ? 'bad' : 'quiet'}>
        {told}
      </span>
    </div>
  );
}
