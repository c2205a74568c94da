// From 6.15 to 7.1 user space could ask for an event queue of any depth, and each event that a guest provoked took memory of the kernel's
// that is charged to nobody, until the queue was full: at 2^32 - 1 events, never.
import type { Scenario } from '@faultline/bench/explore';
import { allocEventQueue } from '../kit/events.ts';
import { IommuSystem } from '../kit/iommu-machine.ts';
import { makeViommu } from '../kit/iommu-start.ts';
import { EVENT, SHARED, SHARED_FIELDS } from './event-read.ts';
import { type Kernel, List } from './kernel.ts';
import { EINVAL, readExhibit } from './read-exhibit.ts';

const ASKED = 2 ** 32 - 1;
/** In place of 2^19: the heap of an exhibit has twelve objects. */
const LIMIT = 4;
const PROVOKED = 12;

/** iommufd_veventq_alloc(), and then a guest that makes events. */
function allocAndFlood(kernel: Kernel, depth: number, limit: number): number {
  if (depth > limit) return EINVAL;
  const deliver = new List(kernel, EVENT.NODE);
  for (let events = 0; events < Math.min(depth, PROVOKED); events++)
    deliver.append(kernel.shared(SHARED.DELIVER), kernel.alloc());
  kernel.alloc(); // somebody else's
  return 0;
}

export const eventDepthUnbounded: Scenario = readExhibit(import.meta.url, {
  name: 'event-depth-unbounded',
  about: 'An event queue of 4,294,967,295 events is asked for, and the guest makes events: is memory left for others?',
  fix: {
    commit: '6ebf2eb46fbd',
    title: 'iommufd: Set veventq_depth upper bound',
    shipped: '6.15 to 7.1',
    fixed: '7.2',
  },
  shared: SHARED_FIELDS,
  objects: { event: EVENT },
  setup() {},
  copy: (kernel, faulty) => allocAndFlood(kernel, ASKED, faulty ? ASKED : LIMIT),
  answer: EINVAL,
  ours: {
    system: new IommuSystem({ devices: 1, threads: 1 }),
    setup: makeViommu,
    call(me) {
      allocEventQueue(me, ASKED);
      return 0;
    },
  },
});
