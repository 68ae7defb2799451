// The token that buttons need: out of the address's fragment, which no server sees, into this tab's memory.

const KEY = 'breakcow-token';

/** Takes it out of the address, so that nobody copies it from there. */
export function takeToken(): string {
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (given !== null) {
    sessionStorage.setItem(KEY, given);
    history.replaceState(null, '', location.pathname);
  }
  return sessionStorage.getItem(KEY) ?? '';
}

export function keepToken(token: string): void {
  sessionStorage.setItem(KEY, token);
}

export function forgetToken(): void {
  sessionStorage.removeItem(KEY);
}

export interface Answer {
  readonly ok: boolean;
  /** The token is wrong. */
  readonly refused: boolean;
  readonly text: string;
}

export async function ask(address: string, token: string, body?: unknown): Promise<Answer> {
  try {
    const response = await fetch(address, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const told = response.status === 202 ? (JSON.parse(text) as { told: string }).told : text.trim();
    return { ok: response.ok, refused: response.status === 401, text: told };
  } catch {
    return { ok: false, refused: false, text: 'the server does not answer' };
  }
}
