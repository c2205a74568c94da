import { iommufdSubjects } from '../iommufd/index.ts';
import { entrySubjects } from '../page-table/entry-ways.ts';
import { tableSubjects } from '../page-table/table-costs.ts';
import { recordSubjects } from '../records/costs.ts';
import { atomics } from './atomics.ts';
import { counters } from './counters.ts';
import { faultPathSubjects } from './fault-path.ts';
import { holding } from './holding.ts';
import { rcu } from './rcu.ts';
import { rings } from './rings.ts';
import { slab } from './slab.ts';
import type { Subject } from './subject.ts';
import { xarray } from './xarray.ts';

/** All of what is measured on one thread, in the order of the table. A subject is a file here and a line below. */
export const SUBJECTS: readonly Subject[] = [
  atomics,
  holding,
  counters,
  rcu,
  slab,
  xarray,
  rings,
  ...faultPathSubjects,
];

/** The subject of that name, in the table of {@link SUBJECTS} or in one of its own. */
export function findSubject(name: string): Subject | undefined {
  return [...SUBJECTS, ...iommufdSubjects, ...entrySubjects, ...tableSubjects, ...recordSubjects].find(
    (each) => each.name === name,
  );
}
