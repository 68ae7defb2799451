// Which kernels a guest can run, and where Debian keeps them.
import { UsageError } from '../../errors.js';

/** One of Debian's two archives: a machine's apt knows where they are. */
export type Archive = 'main' | 'security';

export interface GuestVersion {
  readonly version: string;
  /** Suites that have it, or once had it, the best first. */
  readonly suites: readonly { readonly archive: Archive; readonly suite: string }[];
}

/** Package whose dependencies name the newest kernel of a suite, built for virtual machines. */
export const META_PACKAGE = 'linux-image-cloud-amd64';

export const GUEST_VERSIONS: readonly GuestVersion[] = [
  {
    version: '5.10',
    suites: [
      { archive: 'security', suite: 'bullseye-security' },
      { archive: 'main', suite: 'bullseye' },
    ],
  },
  { version: '6.1', suites: [{ archive: 'main', suite: 'bookworm' }] },
  {
    version: '6.12',
    suites: [
      { archive: 'main', suite: 'bookworm-backports' },
      { archive: 'main', suite: 'trixie' },
    ],
  },
  // Backports keep what they once had. Of 6.17 there is no model: it is there for exported tests.
  { version: '6.17', suites: [{ archive: 'main', suite: 'trixie-backports' }] },
  { version: '6.18', suites: [{ archive: 'main', suite: 'trixie-backports' }] },
  {
    version: '7.2',
    suites: [
      { archive: 'main', suite: 'forky' },
      { archive: 'main', suite: 'trixie-backports' },
    ],
  },
];

/** Throws UsageError for a version that is not in the table. */
export function guestVersion(version: string): GuestVersion {
  const found = GUEST_VERSIONS.find((candidate) => candidate.version === version);
  if (found) return found;
  const known = GUEST_VERSIONS.map((candidate) => candidate.version).join(', ');
  throw new UsageError(`no guest of Linux ${version}: there are ${known}`);
}
