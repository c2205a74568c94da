// The file that `pnpm bench --json` writes: tables of figures, each row named by its words.
import { z } from 'zod';
import { environmentSchema } from '../result/schema.ts';
import type { Measured, MeasuredCell, Unit } from './measured.ts';
import { parse } from './parse.ts';

const amount = z.number().nonnegative();
const figures = {
  median: amount,
  min: amount,
  max: amount,
  repeats: z.int().positive(),
  values: z.array(amount).exactOptional(),
};
const figuresSchema = z.object(figures);
type Figures = z.infer<typeof figuresSchema>;

const costs = z.array(z.object({ ...figures, subject: z.string(), name: z.string() }));
const pairs = z.array(z.object({ ...figures, name: z.string(), kind: z.enum(['throughput', 'round trip']) }));
const latency = z.object({ median: figuresSchema, p99: figuresSchema, worst: figuresSchema });

/** Tables that a file may hold; older ones have fewer. */
const benchSchema = z.object({
  schemaVersion: z.literal(1),
  environment: environmentSchema,
  parameters: z.record(z.string(), z.unknown()),
  costs,
  pairs,
  entries: costs.optional(),
  tables: costs.optional(),
  records: z
    .array(z.object({ ...figures, family: z.string(), name: z.string(), codec: z.string(), direction: z.string() }))
    .optional(),
  iommufd: z
    .object({
      costs,
      areas: costs,
      pair: z.object({ ...figures, name: z.string(), kind: z.enum(['throughput', 'round trip']) }),
      keys: z.array(z.object({ ...figures, kind: z.string(), threads: z.int() })),
    })
    .optional(),
  disjoint: pairs.optional(),
  sweeps: z
    .array(
      z.object({
        rangeLg2: z.int(),
        leafLg2: z.int(),
        mode: z.string(),
        sweepMs: figuresSchema,
        map: latency,
        unmap: latency,
      }),
    )
    .optional(),
  checker: z.array(z.object({ ...figures, name: z.string() })).optional(),
});

/** @throws FileError */
export function readBench(file: string, input: unknown): Measured {
  const bench = parse(file, benchSchema, input);
  const cells: MeasuredCell[] = [];
  const add = (section: string, name: string, figure: string, from: Figures, unit: Unit, more: boolean): void =>
    void cells.push(cellOf(section, name, figure, from, unit, more));
  const addCosts = (section: string, rows: z.infer<typeof costs> = []): void => {
    for (const row of rows) add(section, `${row.subject}: ${row.name}`, 'time', row, 'ns', false);
  };
  const addPairs = (section: string, rows: z.infer<typeof pairs> = []): void => {
    for (const row of rows) {
      const trips = row.kind === 'round trip';
      add(section, row.name, row.kind, row, trips ? 'ns' : 'rate', !trips);
    }
  };
  addCosts('costs', bench.costs);
  addCosts('entries', bench.entries);
  addCosts('tables', bench.tables);
  for (const row of bench.records ?? [])
    add('records', `${row.family} ${row.name}, ${row.codec}, ${row.direction}`, 'time', row, 'ns', false);
  addCosts('iommufd', bench.iommufd?.costs);
  addCosts('iommufd', bench.iommufd?.areas);
  addPairs('iommufd', bench.iommufd === undefined ? [] : [bench.iommufd.pair]);
  for (const row of bench.iommufd?.keys ?? [])
    add('iommufd', `${row.kind} keys, ${row.threads} threads`, 'throughput', row, 'rate', true);
  addPairs('disjoint', bench.disjoint);
  addPairs('pairs', bench.pairs);
  for (const row of bench.checker ?? []) add('checker', row.name, 'schedules', row, 'rate', true);
  for (const row of bench.sweeps ?? []) {
    const name = `2^${row.rangeLg2} in leaves of 2^${row.leafLg2}, ${row.mode}`;
    add('sweeps', name, 'sweep', row.sweepMs, 'ms', false);
    for (const call of ['map', 'unmap'] as const)
      for (const figure of ['median', 'p99'] as const)
        add('sweeps', `${name}, ${call}`, figure, row[call][figure], 'ns', false);
  }
  const { environment, parameters } = bench;
  return { file, kind: 'bench', environment, parameters, cells: uniquely(cells), warnings: [] };
}

/** A row without its repeats keeps the median alone, and where the rest lay. */
function cellOf(section: string, name: string, figure: string, from: Figures, unit: Unit, more: boolean): MeasuredCell {
  const { values } = from;
  const repeats = values ?? [from.median];
  const range = { low: from.min, high: from.max };
  return {
    key: `${section}/${name}/${figure}`,
    name: `${section}: ${name}`,
    figures: [{ name: figure, unit, more, repeats, range }],
  };
}

/** Two rows of one name are told apart by their turn. */
function uniquely(cells: readonly MeasuredCell[]): MeasuredCell[] {
  const seen = new Map<string, number>();
  return cells.map((cell) => {
    const turn = (seen.get(cell.key) ?? 0) + 1;
    seen.set(cell.key, turn);
    return turn === 1 ? cell : { ...cell, key: `${cell.key}/${turn}`, name: `${cell.name} (${turn})` };
  });
}
