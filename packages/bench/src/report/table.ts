// The result on a terminal: what was run, the table, the books, the knees.
import Table from 'cli-table3';
import { checkBooks, nameCell } from '../result/books.ts';
import { type MergedCell, mergeCells, type Spread } from '../result/merge.ts';
import type { AdmissionFigures, GroupFigures, Result } from '../result/schema.ts';
import type { Generation, StressParameters } from '../scenario/parameters.ts';
import { formatBytes, formatCount, formatNs, formatPercent, formatRate, signed } from './format.ts';
import { describeKnee, findKnees } from './knee.ts';
import { makeParts, type Part } from './parts.ts';
import { SEED_MEANING, SEED_RELATIVE } from './seed.ts';

/** The whole result as text. */
export function renderResult(result: Result): string {
  const merged = mergeCells(result.cells);
  const scanners = [...new Set(merged.map((cell) => cell.scanner))];
  const sections = [describeRun(result)];
  for (const scanner of scanners) {
    const cells = merged.filter((cell) => cell.scanner === scanner);
    sections.push(`${titleOf(scanner)}\n${throughputTable(cells, result.parameters.generations)}\n${SEED_MEANING}`);
  }
  if (merged.length > 0) {
    sections.push(
      `Books: every group reported was answered once and resumed once; nothing left over\n${booksTable(merged)}`,
    );
    for (const part of makeParts(result, merged)) sections.push(`${part.title}\n${partTable(part)}`);
    sections.push(['Knees', ...findKnees(merged).map((knee) => `  ${describeKnee(knee)}`)].join('\n'));
  }
  if (result.partial) sections.push(`PARTIAL: interrupted, ${result.cells.length} cells were measured`);
  const wrong = unbalanced(result);
  if (wrong.length > 0) sections.push(['UNBALANCED', ...wrong.map((line) => `  ${line}`)].join('\n'));
  return `${sections.join('\n\n')}\n`;
}

/** Each figure that does not balance, with its cell. */
export function unbalanced(result: Result): string[] {
  return result.cells.flatMap((cell) => checkBooks(cell).map((figure) => `${nameCell(cell)}: ${figure}`));
}

export function titleOf(scanner: number): string {
  return `Throughput against locked in the same repeat (median, min…max), page scanner ${scanner > 0 ? `once round in ${scanner} ms` : 'off'}`;
}

export function describeEnvironment(result: Result): string {
  const { cpuModel, cpus, memoryBytes, node, v8, platform, arch, release } = result.environment;
  return `${cpuModel}, ${cpus} processors, ${formatBytes(memoryBytes)}; ${platform} ${release} ${arch}; Node ${node}, V8 ${v8}`;
}

function describeParameters(parameters: StressParameters): string {
  const show = (value: unknown): string => (Array.isArray(value) ? value.join(',') : String(value));
  return Object.entries(parameters)
    .map(([name, value]) => `${name} ${show(value)}`)
    .join(' · ');
}

function describeRun(result: Result): string {
  const lines = [
    `faultline ${result.command}`,
    describeEnvironment(result),
    ...wrap(describeParameters(result.parameters)),
  ];
  const { calibration } = result;
  if (calibration) {
    lines.push(
      `Calibrated: a fault costs ${formatNs(calibration.costNsPerFault)}, about ${calibration.latencyMsAt512.toPrecision(3)} ms ` +
        `to an answer at 512 threads; scanner once round in ${calibration.scannerPeriodMs} ms, time-out ${calibration.timeoutMs} ms`,
      ...calibration.explanation.map((sentence) => `  ${sentence}`),
    );
  }
  return lines.join('\n');
}

/** Breaks a list at its separators, 110 columns or so. */
function wrap(text: string): string[] {
  const lines: string[] = [''];
  for (const part of text.split(' · ')) {
    const last = lines.length - 1;
    if (lines[last].length + part.length > 110) lines.push(part);
    else lines[last] += (lines[last] ? ' · ' : '') + part;
  }
  return lines;
}

function throughputTable(cells: readonly MergedCell[], order: readonly Generation[]): string {
  const generations = order.filter((generation) => cells.some((cell) => cell.generation === generation));
  const table = new Table({
    head: ['threads', 'seed', ...generations],
    colAligns: ['right', 'right', ...generations.map(() => 'right' as const)],
    style: { head: [], border: [], compact: false },
  });
  const threads = [...new Set(cells.map((cell) => cell.threads))].sort((a, b) => a - b);
  for (const count of threads) {
    const row = generations.map((generation) => {
      const cell = cells.find((each) => each.threads === count && each.generation === generation);
      return cell ? describeCell(cell) : '–';
    });
    table.push([String(count), describeSeed(count), ...row]);
  }
  return table.toString();
}

export function describeSeed(threads: number): string {
  const seed = SEED_RELATIVE.get(threads);
  if (seed === undefined) return '–';
  return seed === 'time-out' ? seed : formatPercent(seed);
}

/** Throughput first, then p99, then what went wrong, where something did. */
function describeCell(cell: MergedCell): string {
  const lines = [describeThroughput(cell), `p99 ${formatNs(cell.latencyNs.p99)}`];
  if (cell.groups !== undefined) lines.push(describeGroups(cell.groups));
  if (cell.timeouts > 0) lines.push(`time-outs ${formatCount(cell.timeouts)}`);
  if (cell.admission !== undefined) lines.push(describeAdmission(cell.admission));
  if (cell.refaults > 0) lines.push(`re-faults ${formatCount(cell.refaults)}`);
  return lines.join('\n');
}

/** Which share of the jobs waited before they began, and the longest wait. */
export function describeAdmission({ admitted, waited, worstWaitNs }: AdmissionFigures): string {
  if (waited === 0) return 'no job waited';
  return `${Math.round((100 * waited) / Math.max(admitted, waited))} % of jobs waited, ≤ ${formatNs(worstWaitNs)}`;
}

/** Groups a second, and how many pages one has. */
export function describeGroups({ perSecond, pagesPerGroup }: GroupFigures): string {
  return `${formatRate(perSecond)} groups of ${formatCount(pagesPerGroup)}`;
}

function partTable({ heads, rows }: Part): string {
  const table = new Table({
    head: [...heads],
    colAligns: heads.map((_, at) => (at === 1 ? 'left' : 'right')),
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows) table.push(row.map(String));
  return table.toString();
}

/** `locked` is the measure, so its own figure is absolute; so is everybody's where it did not run. */
export function describeThroughput(cell: MergedCell): string {
  const { relative, faultsPerSecond } = cell;
  if (cell.generation === 'locked' || relative === undefined) {
    return formatRate(faultsPerSecond.median) + range(cell, faultsPerSecond, formatCount);
  }
  return formatPercent(relative.median) + range(cell, relative, signed);
}

function range(cell: MergedCell, spread: Spread, format: (value: number) => string): string {
  return cell.repeats > 1 ? ` (${format(spread.min)}…${format(spread.max)})` : '';
}

function booksTable(cells: readonly MergedCell[]): string {
  const byHardware = cells.some((cell) => cell.automatic > 0);
  const table = new Table({
    head: [
      'threads',
      'generation',
      'scanner',
      'jobs',
      'reported',
      'answered',
      ...(byHardware ? ['by hw'] : []),
      'resumed',
      'full',
      'slab',
      'refs',
      'pend.',
      'rcu',
      '',
    ],
    colAligns: [
      'right',
      'left',
      'right',
      ...Array.from({ length: byHardware ? 10 : 9 }, () => 'right' as const),
      'left',
    ],
    style: { head: [], border: [], compact: true },
  });
  for (const cell of cells) {
    const { leaked } = cell;
    const automatic = byHardware ? [cell.automatic] : [];
    const figures = [cell.jobs, cell.reported, cell.answered, ...automatic, cell.resumed, cell.overflows];
    const leaks = [leaked.slab, leaked.references, leaked.pending, leaked.deferred];
    table.push([
      String(cell.threads),
      cell.generation,
      String(cell.scanner),
      ...[...figures, ...leaks].map(String),
      cell.balanced ? 'balanced' : 'WRONG',
    ]);
  }
  return table.toString();
}
