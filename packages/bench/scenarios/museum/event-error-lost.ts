// From 6.15 to 7.1 the header that says that events were lost was copied before it was handed out, in memory that might not be had; then
// the read answered 0, as when nothing waits. Ours takes no memory to read.
import type { Scenario } from '@faultline/bench/explore';
import { makeEventQueue, readEvents, reportOne } from '../kit/events.ts';
import { IommuSystem } from '../kit/iommu-machine.ts';
import { refusalOf } from '../kit/refusal.ts';
import { ALL_FIXES, EVENT, eventRead, HEADER_BYTES, queueEvent, SHARED, SHARED_FIELDS } from './event-read.ts';
import { ENOMEM, readExhibit } from './read-exhibit.ts';

export const eventErrorLost: Scenario = readExhibit(import.meta.url, {
  name: 'event-error-lost',
  about: 'No memory is left when the reader is to be told that events were lost: is it told anything?',
  fix: {
    commit: '489e63dd120b',
    title: 'iommufd: Propagate allocation failure in iommufd_veventq_deliver_fetch()',
    shipped: '6.15 to 7.1',
    fixed: '7.2',
  },
  shared: SHARED_FIELDS,
  objects: { event: EVENT },
  setup(kernel) {
    queueEvent(kernel, true, 4);
    kernel.words[kernel.shared(SHARED.NO_MEMORY)] = 1;
  },
  copy: (kernel, faulty) => eventRead(kernel, { ...ALL_FIXES, saysNoMemory: !faulty }),
  answer: ENOMEM,
  ours: {
    system: new IommuSystem({ devices: 1, threads: 1 }),
    setup(first) {
      makeEventQueue(first, 1);
      first.machine.fail.arm(1);
      if (refusalOf(() => reportOne(first)) !== 'ENOMEM') throw new Error('setup: no event is lost');
    },
    call(me) {
      me.machine.fail.arm(1);
      return readEvents(me, HEADER_BYTES, HEADER_BYTES);
    },
    answer: HEADER_BYTES,
  },
});
