// From 6.11 to 7.1 a copy that failed left the loop over a group's records, and not the one over groups: the group was put back, fetched
// again, and failed again, for as long as the user's buffer was not to be written; a signal did not end it.
import type { Scenario } from '@faultline/bench/explore';
import { IommuSystem } from '../kit/iommu-machine.ts';
import { makeAttached } from '../kit/iommu-start.ts';
import { ALL_FIXES, faultRead, GROUP, queueGroup, RECORD_BYTES, SHARED_FIELDS } from './fault-read.ts';
import { EFAULT, readExhibit } from './read-exhibit.ts';

export const readNeverEnds: Scenario = readExhibit(import.meta.url, {
  name: 'read-never-ends',
  about: 'A group is read into a buffer that cannot be written: does the read end?',
  fix: {
    commit: '172fc8b19825',
    title: 'iommufd: Break the loop on failure in iommufd_fault_fops_read()',
    shipped: '6.11 to 7.1',
    fixed: '7.2',
  },
  shared: SHARED_FIELDS,
  objects: { group: GROUP },
  setup: (kernel) => queueGroup(kernel, 1, 0),
  copy: (kernel, faulty) => faultRead(kernel, 1, { ...ALL_FIXES, leavesLoop: !faulty }),
  answer: EFAULT,
  ours: {
    system: new IommuSystem({ devices: 1, threads: 1 }),
    setup(first) {
      makeAttached(first);
      first.fault({ grpid: 1 });
    },
    call(me) {
      me.user.writable = 0;
      return me.file().read(me.user, 0n, RECORD_BYTES);
    },
  },
});
