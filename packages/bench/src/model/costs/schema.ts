// What things cost. The names are those of the demands in ../path, ../workload and ../machine; a file of costs has all of them.
import { z } from 'zod';
import { COST_NAMES, type CostName } from './names.ts';

export const COST_KINDS = ['measured', 'published', 'guess'] as const;
export type CostKind = (typeof COST_KINDS)[number];

export interface Cost {
  readonly ns: number;
  readonly kind: CostKind;
  /** Where the figure comes from, in words. */
  readonly source: string;
}

export type CostTable = Readonly<Record<CostName, Cost>>;

export const costSchema: z.ZodType<Cost> = z.strictObject({
  ns: z.number().min(0).max(1e9),
  kind: z.enum(COST_KINDS),
  source: z.string().min(3),
});

/** Every name, no other. */
export const costTableSchema: z.ZodType<CostTable> = z.strictObject(
  Object.fromEntries(COST_NAMES.map((name) => [name, costSchema])),
) as unknown as z.ZodType<CostTable>;

export function costOf(costs: CostTable, name: CostName): number {
  return costs[name].ns;
}
