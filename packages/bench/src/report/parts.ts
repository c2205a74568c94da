// What some runs have beside throughput and books: translations that endpoints kept, what went through the fault file, and a device that
// misbehaved. A table each, for the
// terminal and for the page.
import type { MergedCell } from '../result/merge.ts';
import type { AtcFigures, FaultFileFigures, HostileFigures, Result } from '../result/schema.ts';
import { STAGES } from '../result/stages.ts';
import { formatNs } from './format.ts';

export interface Part {
  readonly title: string;
  /** Threads and generation first. */
  readonly heads: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

const ATC: readonly (readonly [string, keyof AtcFigures])[] = [
  ['hits', 'hits'],
  ['asked', 'translations'],
  ['invalidated', 'invalidations'],
  ['discarded', 'discarded'],
  ['breaches', 'breaches'],
];
const FAULT_FILE: readonly (readonly [string, keyof FaultFileFigures])[] = [
  ['reads', 'reads'],
  ['groups', 'groups'],
  ['writes', 'writes'],
  ['refused', 'refused'],
];
const HOSTILE: readonly (readonly [string, keyof HostileFigures])[] = [
  ['requests', 'requests'],
  ['groups', 'groups'],
  ['reported', 'reported'],
  ['answered', 'answered'],
  ['rejected', 'rejected'],
  ['success', 'succeeded'],
  ['invalid', 'invalid'],
  ['failure', 'failures'],
  ['unexpected', 'unexpected'],
  ['lost', 'lost'],
  ['dropped', 'dropped'],
  ['strays', 'strays'],
];

export function makeParts(result: Result, merged: readonly MergedCell[]): Part[] {
  const parts: Part[] = [];
  const add = <T extends object>(
    title: string,
    columns: readonly (readonly [string, keyof T])[],
    pick: (cell: MergedCell) => T | undefined,
  ): void => {
    const rows = merged.flatMap((cell) => {
      const figures = pick(cell);
      if (figures === undefined) return [];
      return [[cell.threads, cell.generation, cell.scanner, ...columns.map(([, field]) => Number(figures[field]))]];
    });
    if (rows.length > 0)
      parts.push({ title, heads: ['threads', 'generation', 'scanner', ...columns.map(([head]) => head)], rows });
  };
  const admitting = merged.flatMap((cell) => (cell.admission === undefined ? [] : [{ cell, ...cell.admission }]));
  if (admitting.length > 0)
    parts.push({
      title:
        "Jobs that waited before they began: part of a job's time, not of its faults' latency, nor of the device's time-out",
      heads: ['threads', 'generation', 'scanner', 'places', 'admitted', 'waited', 'mean wait', 'worst wait'],
      rows: admitting.map(({ cell, places, admitted, waited, waitNs, worstWaitNs }) => {
        const waits = [waited === 0 ? 0 : waitNs / waited, worstWaitNs].map(formatNs);
        return [cell.threads, cell.generation, cell.scanner, places, admitted, waited, ...waits];
      }),
    });
  add('Translations kept by endpoints: none was used after the sync of its invalidation', ATC, (cell) => cell.atc);
  add(
    'The fault file: what its readers read and wrote; refused are answers to groups that had been answered for them',
    FAULT_FILE,
    (cell) => cell.faultFile,
  );
  add(
    `The device that misbehaves (${result.parameters.misbehave}): what it sent, who answered, what it took; strays are answers that good devices got`,
    HOSTILE,
    (cell) => cell.hostile,
  );
  const staged = merged.flatMap((cell) => (cell.stages === undefined ? [] : [{ cell, stages: cell.stages }]));
  if (staged.length > 0)
    parts.push({
      title: 'Stages of a fault: what each took on average; skipped are faults that did not pass them all',
      heads: ['threads', 'generation', 'scanner', ...STAGES, 'in all', 'faults', 'skipped'],
      rows: staged.map(({ cell, stages }) => {
        const times = STAGES.map((stage) => stages.meanNs[stage]);
        const total = times.reduce((sum, time) => sum + time, 0);
        const counts = [stages.faults, stages.skipped];
        return [cell.threads, cell.generation, cell.scanner, ...[...times, total].map(formatNs), ...counts];
      }),
    });
  return parts;
}
