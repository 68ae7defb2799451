// Debian packages, fetched with the machine's own apt, its mirrors and its keys, in a state of their own: what is
// installed and what apt knows otherwise stays as it is, and nobody has to be root.
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GuestError, runTool } from './tools.js';
import type { Archive } from './versions.js';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const MAIN_SUITE = /^(?:bullseye|bookworm|trixie|forky|sid|unstable|testing|stable|oldstable)$/;
const SECURITY_SUITE = /-security$/;

export interface Package {
  readonly name: string;
  readonly version: string;
}

export interface PackageRecord extends Package {
  /** Names of packages, also those of alternatives. */
  readonly depends: readonly string[];
}

/** Base addresses of Debian's archives, as this machine's apt has them. */
export type Sites = Partial<Record<Archive, string>>;

/** Reads them from what `apt-get update --print-uris` says. */
export function parseSites(output: string): Sites {
  const sites: Sites = {};
  for (const [, base, suite] of output.matchAll(/^'([^']+?)\/?\/dists\/([^']+)\/InRelease'/gm)) {
    if (MAIN_SUITE.test(suite!)) sites.main ??= base;
    else if (SECURITY_SUITE.test(suite!)) sites.security ??= base;
  }
  return sites;
}

/** Rejects with GuestError where apt has no source of Debian. */
export async function debianSites(): Promise<Sites> {
  const sites = parseSites(await runTool('apt-get', ['update', '--print-uris']));
  if (!sites.main)
    throw new GuestError('apt has no source of Debian on this machine: guests are made from its packages');
  return sites;
}

/** apt's configuration for a state of its own below `folder`; what the machine's says of networks and keys stays. */
function configuration(folder: string): string {
  const settings = {
    'Dir::State': join(folder, 'state'),
    'Dir::State::lists': join(folder, 'state/lists'),
    'Dir::State::status': join(folder, 'state/status'),
    'Dir::Cache': join(folder, 'cache'),
    'Dir::Etc::SourceList': join(folder, 'sources.list'),
    'Dir::Etc::SourceParts': '/dev/null',
    'Dir::Etc::Preferences': '/dev/null',
    'Dir::Etc::PreferencesParts': '/dev/null',
    'APT::Architecture': 'amd64',
    'APT::Default-Release': '',
    // Its user of low rights may not write here.
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '2',
  };
  const cleared = ['APT::Architectures', 'APT::Update::Pre-Invoke', 'APT::Update::Post-Invoke'];
  return [
    ...[...cleared, 'APT::Update::Post-Invoke-Success'].map((name) => `#clear ${name};`),
    ...Object.entries(settings).map(([name, value]) => `${name} "${value}";`),
    '',
  ].join('\n');
}

/** One suite, in a state of its own below a folder. */
export class AptSuite {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Fetches the lists of the suite. Rejects with GuestError if they cannot be had. */
  static async open(folder: string, site: string, suite: string): Promise<AptSuite> {
    const opened = new AptSuite(folder);
    await rm(folder, { recursive: true, force: true });
    for (const part of ['state/lists/partial', 'cache/archives/partial', 'packages'])
      await mkdir(join(folder, part), { recursive: true });
    await writeFile(join(folder, 'state/status'), '');
    await writeFile(join(folder, 'apt.conf'), configuration(folder));
    const signed = existsSync(KEYRING) ? ` signed-by=${KEYRING}` : '';
    await writeFile(join(folder, 'sources.list'), `deb [arch=amd64${signed}] ${site} ${suite} main\n`);
    // To apt, lists that do not come are only worth a warning.
    await opened.#run('apt-get', ['update', '-o', 'APT::Update::Error-Mode=any']);
    return opened;
  }

  #run(tool: string, args: readonly string[]): Promise<string> {
    const configured = ['-q', '-c', join(this.#folder, 'apt.conf')];
    return runTool(tool, [...configured, ...args], { cwd: join(this.#folder, 'packages') });
  }

  /** The newest of that name and what it depends on, or undefined if the suite has none. */
  async show(name: string): Promise<PackageRecord | undefined> {
    const known = await this.#run('apt-cache', ['policy', name]);
    if (!/^ +Candidate: [^(\s]/m.test(known)) return undefined;
    const record = await this.#run('apt-cache', ['show', '--no-all-versions', name]);
    const version = /^Version: (.+)$/m.exec(record)?.[1];
    if (!version) return undefined;
    const depends = /^Depends: (.+)$/m.exec(record)?.[1] ?? '';
    return { name, version, depends: depends.split(/[,|]/).map((one) => one.trim().replace(/[\s:(].*$/s, '')) };
  }

  /** Names of packages that begin so. */
  async names(prefix: string): Promise<string[]> {
    return (await this.#run('apt-cache', ['pkgnames', prefix])).split('\n').filter((name) => name !== '');
  }

  /** Downloads packages and unpacks them all into one folder. */
  async unpack(packages: readonly Package[], into: string): Promise<void> {
    await this.#run('apt-get', ['download', ...packages.map(({ name, version }) => `${name}=${version}`)]);
    const folder = join(this.#folder, 'packages');
    for (const file of await readdir(folder)) await runTool('dpkg-deb', ['-x', join(folder, file), into]);
  }
}
