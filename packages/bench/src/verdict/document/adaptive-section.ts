import { MODEL_GENERATIONS, type ModelGeneration } from '../../model/index.ts';
import { formatNs, formatPercent, formatRate } from '../../report/format.ts';
import { FEW_THREADS } from '../adaptive.ts';
import type { RealCell } from '../real.ts';
import type { VerdictResult } from '../result.ts';
import { type Block, heading, list, table, text } from './blocks.ts';
import { candidateWords, kneeWords, showShare, showState } from './words.ts';

export function adaptiveSection(result: VerdictResult): Block[] {
  const { candidates, plan } = result;
  const none = candidates[0];
  if (none === undefined) return [];
  const { most } = plan.asked;
  return [
    heading(2, 'The best design'),
    text(
      '`adaptive` in core is `lockless` with two things more: a page that a fault brought back is leased to the device that asked for it, and the scanner leaves it until it has been used; ' +
        'and a job begins only when there are credits for its faults. In the simulations of this document `adaptive` is the lease alone; credits are tried by themselves. ' +
        `The model tries that, what else was considered, each alone, and all together. What a fault waits at ${FEW_THREADS} threads, where nothing is short, is what it costs.`,
    ),
    table(
      'What each would bring, beyond `lockless`',
      [
        'switch',
        'loop knee',
        'time-out knee',
        `at ${plan.asked.at}`,
        `at ${plan.asked.beyond}`,
        `at ${most}`,
        `jobs/s at ${most}`,
        `jobs/s at ${FEW_THREADS}`,
        `fault, mean, at ${FEW_THREADS}`,
        'against `lockless`',
      ],
      candidates.map(({ loop, timeout, few, at, beyond, most: many, ...named }) => [
        candidateWords(named),
        kneeWords(loop, result),
        kneeWords(timeout, result),
        showState(at),
        showState(beyond),
        showState(many),
        many.jobsPerSecond.toFixed(0),
        few.jobsPerSecond.toFixed(0),
        formatNs(few.latency.mean),
        none.few.latency.mean === 0 ? '–' : formatPercent(few.latency.mean / none.few.latency.mean - 1),
      ]),
    ),
    ...realPart(result),
  ];
}

function inOrder(cells: readonly RealCell[]): RealCell[] {
  const place = ({ generation }: RealCell): number => MODEL_GENERATIONS.indexOf(generation as ModelGeneration);
  return [...cells].sort((a, b) => b.scanner - a.scanner || a.threads - b.threads || place(a) - place(b));
}

function realPart({ real, environment }: VerdictResult): Block[] {
  if (real === undefined)
    return [text('No real run stands beside it: the command was told to leave it out, or was interrupted.')];
  const { cells, notes, source, timeoutMs } = real;
  return [
    heading(3, 'The same on real threads'),
    text(
      `${environment.cpus} processors (${environment.cpuModel}), ${source}; \`adaptive\` ${real.credits ? `admits jobs with credits for ${real.credits} faults` : 'has its leases alone'}; ${real.threadsPerWorker ?? 1} device threads to a thread of the process; the device gives up after ${timeoutMs} ms, and scanner and time-out are the same for all, calibrated to this machine. ` +
        'These figures are not those of a machine with 128 processors: they show whether the mechanism is there in the real code, and what becomes of it under `adaptive`.',
    ),
    table(
      'Real run',
      ['threads', 'generation', 'scanner', 'faults/s', 'jobs/s', 'p99', 're-faults per fault', 'time-outs'],
      inOrder(cells).map((cell) => [
        String(cell.threads),
        `\`${cell.generation}\``,
        cell.scanner === 0 ? 'off' : `${cell.scanner} ms`,
        formatRate(cell.faultsPerSecond),
        cell.jobsPerSecond.toFixed(0),
        formatNs(cell.p99Ns),
        showShare(cell.refaultsPerFault),
        String(cell.timeouts),
      ]),
      3,
    ),
    ...(notes.length === 0 ? [] : [list(notes)]),
  ];
}
