// Where CI is set, what needs Redis runs, and fails without it.
import { runs, withoutRedis } from '../bench/redis-server.js';

export const noRedis = process.env.CI ? false : withoutRedis();
export const noOpenssl =
  noRedis || process.env.CI || runs('openssl', 'version') ? noRedis : 'no openssl to make a certificate with';
