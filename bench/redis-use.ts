// What a Redis server has done, by its own count.
import type { Redis } from 'ioredis';

export interface ServerUse {
  readonly cpuMs: number;
  readonly scripts: number;
  /** Those inside scripts too. */
  readonly commands: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export async function readServer(client: Redis): Promise<ServerUse> {
  const [cpu, stats, commands] = await Promise.all([
    client.info('cpu'),
    client.info('stats'),
    client.info('commandstats'),
  ]);
  const field = (text: string, name: string) =>
    Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(text)?.[1] ?? Number.NaN);
  const calls = (line: RegExp) => [...commands.matchAll(line)].reduce((sum, [, n]) => sum + Number(n), 0);
  return {
    cpuMs: 1000 * (field(cpu, 'used_cpu_user') + field(cpu, 'used_cpu_sys')),
    scripts: calls(/^cmdstat_eval(?:sha)?:calls=(\d+)/gm),
    commands: calls(/^cmdstat_.*?:calls=(\d+)/gm),
    bytesIn: field(stats, 'total_net_input_bytes'),
    bytesOut: field(stats, 'total_net_output_bytes'),
  };
}

export function useBetween(from: ServerUse, to: ServerUse): ServerUse {
  return {
    cpuMs: to.cpuMs - from.cpuMs,
    scripts: to.scripts - from.scripts,
    commands: to.commands - from.commands,
    bytesIn: to.bytesIn - from.bytesIn,
    bytesOut: to.bytesOut - from.bytesOut,
  };
}
