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
