// A campaign as data: what `campaign status --json` and `list --json` print.
import type { CampaignReader } from '../store/read.js';
import { printSpec } from '../text/id.js';

/** One line of `campaign list`. */
export function campaignRow(reader: CampaignReader) {
  const last = reader.last();
  return {
    name: reader.name,
    state: reader.state,
    created: reader.created,
    build: reader.build,
    kernels: reader.config.kernels.map(printSpec),
    seconds: last?.seconds ?? 0,
    programs: last?.programs ?? 0,
    faults: last?.faults ?? 0,
    findings: reader.findingCount(),
    valid: reader.result?.canary.found ?? null,
  };
}

export function campaignJson(reader: CampaignReader) {
  const { config, reason, pruned, result } = reader;
  return {
    ...campaignRow(reader),
    reason,
    ...(pruned !== undefined && { pruned }),
    config,
    result: result ?? null,
    arms: reader.arms(),
    workers: reader.workers(),
    samples: reader.samples(),
    events: reader.events(50),
    findings: reader.findings().map(({ report, ...rest }) => rest),
  };
}
