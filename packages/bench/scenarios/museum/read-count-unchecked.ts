// From 6.11 to 7.1 a read of the fault file too small for the first group answered 0, as when nothing waits, while poll went on to say that
// something does: the reader went round for ever.
import type { Scenario } from '@faultline/bench/explore';
import { IommuSystem } from '../kit/iommu-machine.ts';
import { makeAttached } from '../kit/iommu-start.ts';
import { ALL_FIXES, faultRead, GROUP, queueGroup, RECORD_BYTES, SHARED_FIELDS } from './fault-read.ts';
import { EINVAL, readExhibit } from './read-exhibit.ts';

export const readCountUnchecked: Scenario = readExhibit(import.meta.url, {
  name: 'read-count-unchecked',
  about: 'A group of two records is read into room for one: is the reader told that something waits?',
  fix: {
    commit: '47916a54eeb2',
    title: 'iommufd: Reject invalid read count in iommufd_fault_fops_read()',
    shipped: '6.11 to 7.1',
    fixed: '7.2',
  },
  shared: SHARED_FIELDS,
  objects: { group: GROUP },
  setup: (kernel) => queueGroup(kernel, 2, 1),
  copy: (kernel, faulty) => faultRead(kernel, 1, { ...ALL_FIXES, refusesCount: !faulty }),
  answer: EINVAL,
  ours: {
    system: new IommuSystem({ devices: 1, threads: 1 }),
    setup(first) {
      makeAttached(first);
      first.fault({ grpid: 1, last: false });
      first.fault({ grpid: 1 });
    },
    call: (me) => me.file().read(me.user, 0n, RECORD_BYTES),
  },
});
