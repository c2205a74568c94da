import { measureApart } from '../costs/apart.ts';
import type { CostOptions, CostRow } from '../costs/measure.ts';
import { measurePair, type PairOptions, type PairRow } from '../pair/measure.ts';
import { faultFileSubjects } from './fault-file.ts';
import { faultPair } from './fault-pair.ts';
import { AREAS, areasSubject } from './ioas-areas.ts';
import { ioctlSubjects } from './ioctl.ts';
import { attack, type HostileRow, KEY_KINDS, KEY_THREADS, type KeyRow, measureKeys } from './keys.ts';
import { renderAreas, renderIommufd, renderKeys } from './tables.ts';

export interface IommufdFigures {
  readonly costs: readonly CostRow[];
  readonly pair: PairRow;
  readonly areas: readonly CostRow[];
  readonly keys: readonly KeyRow[];
  readonly attacks: readonly HostileRow[];
}

const KEYS = { repeats: 7, keys: 1_000_000 };
const QUICK_KEYS = { repeats: 3, keys: 100_000 };

/** Measures and prints what iommufd costs its users. */
export async function measureIommufd(costs: CostOptions, pairs: PairOptions, quick: boolean): Promise<IommufdFigures> {
  const rows: CostRow[] = [];
  for (const { name } of [...faultFileSubjects, ...ioctlSubjects]) rows.push(...(await measureApart(name, costs)));
  const pair = await measurePair(faultPair, pairs);
  console.log(renderIommufd(rows, pair));
  const areas: CostRow[] = [];
  for (const count of AREAS) areas.push(...(await measureApart(areasSubject(count), costs)));
  console.log(renderAreas(areas));
  const keys: KeyRow[] = [];
  for (const threads of KEY_THREADS) keys.push(...(await measureKeys(threads, quick ? QUICK_KEYS : KEYS)));
  const attacks = KEY_KINDS.map(attack);
  console.log(renderKeys(keys, attacks));
  return { costs: rows, pair, areas, keys, attacks };
}
