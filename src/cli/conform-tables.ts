// Tables of breakcow conform for people.
import { OPEN } from '../conform/open.js';
import { wrap } from '../report/layout.js';

/** The table of open observations. */
export function openText(): string {
  if (OPEN.length === 0) return 'Nothing is open: every difference counts.';
  return OPEN.flatMap(({ id, kernels, masked, reason, ends }) => [
    `${id}  (${kernels?.join(', ') ?? 'all kernels'})`,
    ...wrap(`not compared: ${masked}${ends ? '; nor what comes after it in the program' : ''}`, '    '),
    ...wrap(reason, '    '),
  ]).join('\n');
}
