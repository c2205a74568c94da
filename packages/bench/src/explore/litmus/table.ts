import Table from 'cli-table3';
import { formatRate } from '../../report/format.ts';
import { type LitmusResult, litmusVerdict } from './litmus.ts';

const LONGEST_SAMPLE = 48;

/** A row a design: how often it ran, and what came of it. */
export function litmusTable(results: readonly LitmusResult[]): string {
  const table = new Table({
    head: ['scenario', 'design', 'expected', 'iterations', 'a second', 'broke', 'outcomes'],
    colAligns: ['left', 'left', 'left', 'right', 'right', 'right', 'left'],
    style: { head: [], border: [], compact: true },
  });
  for (const result of results) {
    const { scenario, design, expected, iterations, seconds, violations, hung } = result;
    const mark = litmusVerdict(result) === 'unexpected' ? '✗ ' : '';
    const broke = hung ? `${violations.toLocaleString('en')}, then hung` : violations.toLocaleString('en');
    table.push([
      scenario,
      design,
      expected,
      iterations.toLocaleString('en'),
      formatRate(iterations / seconds),
      `${mark}${broke}`,
      outcomesOf(result),
    ]);
  }
  return table.toString();
}

function outcomesOf({ outcomes, sample }: LitmusResult): string {
  const seen = outcomes.filter(({ count }) => count > 0);
  if (seen.length === 0) return sample.length > LONGEST_SAMPLE ? `${sample.slice(0, LONGEST_SAMPLE)}…` : sample;
  return seen
    .map(
      ({ name, grade, count }) =>
        `${name}: ${count.toLocaleString('en')}${grade === 'acceptable' ? '' : ` (${grade})`}`,
    )
    .join('\n');
}
