import type { Generation } from './fault-path.ts';
import { LocklessSharedFaultPath } from './lockless-shared.ts';
import { LocklessSplitFaultPath } from './lockless-split.ts';

// What `lockless` leaves open. With hundreds of device threads it is not the fault path that fails: a job's faults are answered over
// the whole length of the queue, and the job goes on only when the last of them is. Meanwhile the page scanner comes round, several
// times, and takes what the first ones brought back. So the job faults again, on pages it never got to use, which makes the queue
// longer, which loses more pages: however fast the path, there is a number of threads from which on no job ends.
//
// `adaptive` takes that loop out. A page that is made present for a device is leased to it: the scanner leaves it until the device has
// accessed it. Everything else is `lockless`, so reports, answers, PRI-off and what orders and frees them stay as argued there. The
// lease needs no object and no counter: it lives in the page's own PTE, where populate sets it, the device's table walk and the scanner
// shorten it, and unmapping ends it, each by the compare-exchange it makes anyway (hw/src/mm/pte.ts).
//
// What a lease cannot help is load: with more jobs under way than can be answered within the time-out, each of their faults is just as
// old, and all fail together. So devices are granted places, a job's faults each, and begin no further job meanwhile: a fault's age
// does not grow with the number of threads any more, the line before the device does (hw/src/accelerator/admission.ts).

/** `lockless`, counted by thread, with leased pages and places for jobs. */
export class AdaptiveSplitFaultPath extends LocklessSplitFaultPath {
  override readonly generation: Generation = 'adaptive';
  override readonly leasesPages: boolean = true;
  override readonly admitsJobs: boolean = true;
}

/** `lockless`, counted in one word each, with both. */
export class AdaptiveSharedFaultPath extends LocklessSharedFaultPath {
  override readonly generation: Generation = 'adaptive';
  override readonly leasesPages: boolean = true;
  override readonly admitsJobs: boolean = true;
}
