// What stands where in Redis, and the scripts that keep it in one step. All keys begin with `breakcow:`.
export const PREFIX = 'breakcow';
/** Changes whenever jobs or results are written in another way. */
const PROTOCOL = 1;

/** Results and knowledge that nobody asks for any more are gone after so long. */
export const KEEP_MS = 3_600_000;
/** Who did not tell for so long that it lives is gone. */
export const GONE_MS = 7000;
export const BEAT_MS = 2000;

/** A campaign's name is part of keys and job ids. */
export const CAMPAIGN_NAME = /^[A-Za-z0-9_-]{1,64}$/;
export const BUILD = /^[0-9a-f]{8,64}$/;

/** The build is part of the name, so that a job waits for a worker that has it. */
export function queueName(build: string): string {
  return `shards-${PROTOCOL}-${build}`;
}

export function jobKey(build: string, id: string): string {
  return `${PREFIX}:${queueName(build)}:${id}`;
}

/** A list; its key is the channel of the bell, too. */
export function resultsKey(campaign: string): string {
  return `${PREFIX}:campaign:${campaign}:results`;
}

export function knowledgeKey(campaign: string, hash: string): string {
  return `${PREFIX}:campaign:${campaign}:knowledge:${hash}`;
}

export type Registry = 'workers' | 'campaigns';

/** Scores = when they last told; fields = what. */
export function registryKeys(registry: Registry): [times: string, infos: string] {
  return [`${PREFIX}:${registry}`, `${PREFIX}:${registry}:info`];
}

/** KEYS: results. ARGV: result, ms to keep. Rings where the list was empty: whoever empties it looks for more. */
const PUSH = `
local n = redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if n == 1 then redis.call('PUBLISH', KEYS[1], '') end
return n`;

/** KEYS: results. ARGV: how many at most, bytes at most. Larger ones come back as ''. */
const TAKE = `
local found = {}
for i = 1, tonumber(ARGV[1]) do
  local value = redis.call('LPOP', KEYS[1])
  if not value then break end
  found[i] = #value <= tonumber(ARGV[2]) and value or ''
end
return found`;

/** KEYS: own times, own infos, others' times, others' infos. ARGV: name, info, ms after which one is gone. Returns the others' infos. */
const BEAT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
for i = 1, 3, 2 do
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[i], '-inf', now - ARGV[3], 'LIMIT', 0, 100)) do
    redis.call('ZREM', KEYS[i], name)
    redis.call('HDEL', KEYS[i + 1], name)
  end
end
return redis.call('HVALS', KEYS[4])`;

export const SCRIPTS = {
  breakcowPush: { lua: PUSH, numberOfKeys: 1 },
  breakcowTake: { lua: TAKE, numberOfKeys: 1 },
  breakcowBeat: { lua: BEAT, numberOfKeys: 4 },
} as const;
