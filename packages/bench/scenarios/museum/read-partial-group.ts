// From 6.11 to 7.1 a read of the fault file whose copy failed inside a group counted the records before the failure. The group went back,
// and its cookie with it: the user was told of half a group, by a cookie that named nothing.
import type { Scenario } from '@faultline/bench/explore';
import { IommuSystem } from '../kit/iommu-machine.ts';
import { makeAttached } from '../kit/iommu-start.ts';
import { ALL_FIXES, faultRead, GROUP, queueGroup, RECORD_BYTES, SHARED_FIELDS } from './fault-read.ts';
import { EFAULT, readExhibit } from './read-exhibit.ts';

const ROOM = 2;

export const readPartialGroup: Scenario = readExhibit(import.meta.url, {
  name: 'read-partial-group',
  about: 'The second record of a group cannot be copied to the user: is the user told of the first?',
  fix: {
    commit: '091ab6d70dc4',
    title: 'iommufd: Avoid partial fault group delivery in iommufd_fault_fops_read()',
    shipped: '6.11 to 7.1',
    fixed: '7.2',
  },
  shared: SHARED_FIELDS,
  objects: { group: GROUP },
  setup: (kernel) => queueGroup(kernel, 2, 1),
  copy: (kernel, faulty) => faultRead(kernel, ROOM, { ...ALL_FIXES, countsWholeGroups: !faulty }),
  answer: EFAULT,
  ours: {
    system: new IommuSystem({ devices: 1, threads: 1 }),
    setup(first) {
      makeAttached(first);
      first.fault({ grpid: 1, last: false });
      first.fault({ grpid: 1 });
    },
    call(me) {
      me.user.writable = 1;
      return me.file().read(me.user, 0n, ROOM * RECORD_BYTES);
    },
  },
});
