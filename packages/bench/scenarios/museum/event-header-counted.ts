// From 6.15 to 7.1 a read of an event file whose copy failed behind an event's header counted the header. The event went back: the reader
// had a header without a payload, and then the same header again.
import type { Scenario } from '@faultline/bench/explore';
import { EVENT_BYTES, makeEventQueue, readEvents, reportOne } from '../kit/events.ts';
import { IommuSystem } from '../kit/iommu-machine.ts';
import { ALL_FIXES, EVENT, eventRead, HEADER_BYTES, queueEvent, SHARED_FIELDS } from './event-read.ts';
import { EFAULT, readExhibit } from './read-exhibit.ts';

export const eventHeaderCounted: Scenario = readExhibit(import.meta.url, {
  name: 'event-header-counted',
  about: "An event's payload cannot be copied to the user: is its header counted?",
  fix: {
    commit: '01e41ad76c12',
    title: 'iommufd: Rewind header length in done if iommufd_veventq_fops_read() fails',
    shipped: '6.15 to 7.1',
    fixed: '7.2',
  },
  shared: SHARED_FIELDS,
  objects: { event: EVENT },
  setup: (kernel) => queueEvent(kernel, false, HEADER_BYTES / 4),
  copy: (kernel, faulty) => eventRead(kernel, { ...ALL_FIXES, rewindsHeader: !faulty }),
  answer: EFAULT,
  ours: {
    system: new IommuSystem({ devices: 1, threads: 1 }),
    setup(first) {
      makeEventQueue(first, 2);
      reportOne(first);
    },
    call: (me) => readEvents(me, EVENT_BYTES, HEADER_BYTES),
  },
});
