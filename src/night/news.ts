// What is new: causes that no earlier campaign of the directory has, found lately.
import { CampaignReader, type FindingKey, type StoredFindingRow } from '../store/read.js';
import { printSpec } from '../text/id.js';
import { listCampaigns, pathFor } from './places.js';

const LOOK_EVERY_MS = 60_000;

export interface News {
  /** Found since then, and by no campaign that began earlier. */
  readonly fresh: readonly StoredFindingRow[];
  /** The others. */
  readonly known: readonly StoredFindingRow[];
  /** Earlier campaigns that were looked at. */
  readonly earlier: readonly string[];
}

/** Kernel and cause: what makes a finding the same in another campaign. */
function keysOf(reader: CampaignReader): (finding: { readonly lane: number; readonly cause: string }) => string {
  const { kernels } = reader.config;
  return ({ lane, cause }) => JSON.stringify([kernels[lane] && printSpec(kernels[lane]), cause]);
}

interface Before {
  /** By kernel and cause. */
  readonly causes: ReadonlySet<string>;
  readonly earlier: readonly string[];
}

/** What campaigns that began earlier have found. Those that cannot be read are left out. */
function before(reader: CampaignReader, directory: string): Before {
  const causes = new Set<string>();
  const earlier: string[] = [];
  for (const name of listCampaigns(directory)) {
    try {
      const path = pathFor(directory, name);
      if (path === reader.path) continue;
      const other = new CampaignReader(path);
      if (other.created < reader.created) {
        earlier.push(name);
        const key = keysOf(other);
        for (const finding of other.findingKeys()) causes.add(key(finding));
      }
      other.close();
    } catch {
      // A damaged neighbour is told by `list`, and is no reason to say nothing of this one.
    }
  }
  return { causes, earlier };
}

/** `since`: ms of the epoch; what was found before is no news. */
export function newsOf(reader: CampaignReader, directory: string, since: number): News {
  const { causes, earlier } = before(reader, directory);
  const key = keysOf(reader);
  const isFresh = (finding: StoredFindingRow) => Date.parse(finding.found) >= since && !causes.has(key(finding));
  const findings = reader.findings();
  return { fresh: findings.filter(isFresh), known: findings.filter((finding) => !isFresh(finding)), earlier };
}

/** Who asks again and again: earlier campaigns are looked at once a minute. */
export class NewsDesk {
  readonly #directory: string;
  #known: Before | undefined;
  #due = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  get earlier(): readonly string[] {
    return this.#known?.earlier ?? [];
  }

  /** Is it time to judge again, though nothing was found? */
  get due(): boolean {
    return Date.now() >= this.#due;
  }

  judge(reader: CampaignReader, since: number): (finding: FindingKey) => boolean {
    if (!this.#known || this.due) {
      this.#known = before(reader, this.#directory);
      this.#due = Date.now() + LOOK_EVERY_MS;
    }
    const { causes } = this.#known;
    const key = keysOf(reader);
    return (finding) => Date.parse(finding.found) >= since && !causes.has(key(finding));
  }
}
