// Which Redis a queue may live on: nobody shall run jobs, or hand out results, on a network without a password.
import { UsageError } from '../errors.js';

const PORT = 6379;
const LOOPBACK = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;
const EXAMPLE = 'redis://:PASSWORD@HOST:6379, or rediss:// for TLS';

/**
 * Reads the address of a queue. Throws UsageError for what is no such address, and for one off this machine without
 * a password unless `insecure`; no message holds the password.
 */
export function checkQueueUrl(text: string, insecure: boolean): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new UsageError(`queue: that is no URL; expected ${EXAMPLE}`);
  }
  const { protocol, hostname, pathname, search, hash, password } = url;
  if (protocol !== 'redis:' && protocol !== 'rediss:')
    throw new UsageError(`queue: ${protocol}// is not spoken; expected ${EXAMPLE}`);
  if (hostname === '') throw new UsageError(`queue: the URL names no host; expected ${EXAMPLE}`);
  if (!/^\/?\d{0,4}$/.test(pathname))
    throw new UsageError(`queue: "${pathname}" is no number of a database, such as /0`);
  if (search !== '' || hash !== '') throw new UsageError('queue: the URL takes no options after ? or #');
  try {
    decodeURIComponent(url.username + password);
  } catch {
    throw new UsageError('queue: a % in user or password has to be written as %25');
  }
  if (password === '' && !insecure && !LOOPBACK.test(hostname))
    throw new UsageError(
      `queue: ${queuePlace(url)} is another machine and the URL has no password: whoever reaches it could feed workers and ` +
        `campaigns. Expected ${EXAMPLE}; --insecure if the network is trusted`,
    );
  return url;
}

/** What may be shown of it: `redis://host:port`. */
export function queuePlace({ protocol, hostname, port }: URL): string {
  return `${protocol}//${hostname}:${port || PORT}`;
}

/** What ioredis takes. */
export interface Address {
  readonly host: string;
  readonly port: number;
  readonly db: number;
  readonly username?: string;
  readonly password?: string;
  readonly tls?: { readonly servername?: string };
}

/** `url`: as `checkQueueUrl` returned it. */
export function queueAddress({ protocol, hostname, port, pathname, username, password }: URL): Address {
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  return {
    host,
    port: port === '' ? PORT : Number(port),
    db: Number(pathname.slice(1) || 0),
    ...(username !== '' && { username: decodeURIComponent(username) }),
    ...(password !== '' && { password: decodeURIComponent(password) }),
    // A name is what the certificate is checked against; an address is no name.
    ...(protocol === 'rediss:' && { tls: /^[\d.]+$|:/.test(host) ? {} : { servername: host } }),
  };
}
