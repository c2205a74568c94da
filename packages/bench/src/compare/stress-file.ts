import { checkBooks, nameCell } from '../result/books.ts';
import { mergeBins } from '../result/merge.ts';
import type { Cell, Result } from '../result/schema.ts';
import { mergeStages } from '../result/stages.ts';
import type { Measured, MeasuredCell } from './measured.ts';

/** A stress run's or repro's cells. With the scanner and without are told apart; its pace is not part of the key, as `repro` chooses it
 * anew each time. A pace that differs is a parameter that differs. */
export function readStress(file: string, result: Result): Measured {
  const groups = Map.groupBy(
    result.cells,
    ({ generation, threads, scanner }) => `${generation}/${threads}/${scanner > 0 ? 'scanner' : 'off'}`,
  );
  const warnings = result.partial ? [`${file} is partial: its run was interrupted`] : [];
  for (const cell of result.cells)
    for (const wrong of checkBooks(cell)) warnings.push(`${file}: books do not balance: ${nameCell(cell)}: ${wrong}`);
  return {
    file,
    kind: result.command,
    environment: result.environment,
    parameters: result.parameters,
    cells: [...groups].map(([key, cells]) => measuredCell(key, cells)),
    warnings,
  };
}

function measuredCell(key: string, cells: readonly Cell[]): MeasuredCell {
  const [{ generation, threads, scanner }] = cells;
  const stages = mergeStages(cells.flatMap((cell) => cell.stages ?? []));
  return {
    key,
    name: `${generation}, ${threads} threads${scanner > 0 ? `, scanner ${scanner} ms` : ''}`,
    figures: [
      { name: 'throughput', unit: 'rate', more: true, repeats: cells.map((cell) => cell.faultsPerSecond) },
      { name: 'p99', unit: 'ns', more: false, repeats: cells.map((cell) => cell.latencyNs.p99) },
      { name: 'time-outs', unit: 'share', more: false, repeats: cells.map(timeoutShare) },
    ],
    stress: {
      ...{ generation, threads, scanner },
      histogram: mergeBins(cells.map((cell) => cell.histogram)),
      ...(stages === undefined ? {} : { stages }),
    },
  };
}

/** Of the jobs that ended by themselves. */
function timeoutShare({ jobs, timeouts }: Cell): number {
  return timeouts === 0 ? 0 : timeouts / (jobs + timeouts);
}
