// What is new: causes that no earlier campaign of the directory has, found lately.
import { CampaignReader, type StoredFindingRow } from '../store/read.js';
import { listCampaigns, pathFor } from './places.js';

export interface News {
  /** Found since then, and by no campaign that began earlier. */
  readonly fresh: readonly StoredFindingRow[];
  /** The others. */
  readonly known: readonly StoredFindingRow[];
  /** Earlier campaigns that were looked at. */
  readonly earlier: readonly string[];
}

/** Kernel and cause: what makes a finding the same in another campaign. */
function causeOf({ json, cause }: StoredFindingRow): string {
  const { kernel, with: plus, without: minus } = json;
  return JSON.stringify([kernel, plus, minus, cause]);
}

/** `since`: ms of the epoch; what was found before is no news. Campaigns that cannot be read are left out. */
export function newsOf(reader: CampaignReader, directory: string, since: number): News {
  const before = new Set<string>();
  const earlier: string[] = [];
  for (const name of listCampaigns(directory)) {
    const path = pathFor(directory, name);
    if (path === reader.path) continue;
    try {
      const other = new CampaignReader(path);
      if (other.created < reader.created) {
        earlier.push(name);
        for (const finding of other.findings()) before.add(causeOf(finding));
      }
      other.close();
    } catch {
      // A damaged neighbour is told by `list`, and is no reason to say nothing of this one.
    }
  }
  const isFresh = (finding: StoredFindingRow) => Date.parse(finding.found) >= since && !before.has(causeOf(finding));
  const findings = reader.findings();
  return { fresh: findings.filter(isFresh), known: findings.filter((finding) => !isFresh(finding)), earlier };
}
