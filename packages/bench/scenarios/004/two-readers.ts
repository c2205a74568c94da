// Two threads read a fault file through its descriptor, which a third closes.
import { type Scenario, scenario, type ThreadContext } from '@faultline/bench/explore';
import { IommuSystem, type IommuThread } from '../kit/iommu-machine.ts';
import { FAULT, FAULT_FD, makeAttached } from '../kit/iommu-start.ts';
import { FaultFile, PGFAULT } from '../kit/iommufd.ts';
import { refusalOf } from '../kit/refusal.ts';

const AT_ONCE = 'closing ends the file at once';
const machine = new IommuSystem({ devices: 1, threads: 3 });

/** read(2) of one record into the thread's own place of the buffer. @returns the record's cookie, or 0. */
function read({ caller, user, machine: own }: IommuThread, record: number): number {
  let fileAt = 0;
  if (refusalOf(() => (fileAt = caller.files.get('read', FAULT_FD))) === 'EBADF') return 0;
  try {
    const bytes = new FaultFile(own, 0).read(user, BigInt(record * PGFAULT.bytes), PGFAULT.bytes);
    if (bytes !== PGFAULT.bytes) throw new Error(`${bytes} bytes were read, and a group waits for each reader`);
    return user.cookie(record);
  } finally {
    caller.files.put(fileAt);
  }
}

const reader = (record: number) => ({
  open: (context: ThreadContext) => machine.open(context),
  run: (_context: ThreadContext, me: IommuThread) => read(me, record),
});

export const twoReaders: Scenario = scenario(import.meta.url, {
  name: '004/two-readers',
  about:
    'Two threads read a fault file that a third closes: does each group go to one reader, and the file after the last?',
  seed: '004',
  source: 'iommufd/src/files/file-table.ts, fault-file.ts',
  designs: { [AT_ONCE]: 'fails', 'the last reference ends the file': 'holds' },
  memory: machine.memory,
  racy: machine.racy,
  setup: machine.setup((first) => {
    makeAttached(first);
    first.fault({ grpid: 1 });
    first.fault({ grpid: 2 });
  }),
  threads: {
    alice: reader(0),
    bob: reader(1),
    closer: {
      open: (context) => machine.open(context),
      run({ design }, { caller, machine: own, context: iommu }: IommuThread) {
        if (design !== AT_ONCE) return caller.files.close(FAULT_FD);
        const file = own.fdsOf(1).erase(FAULT_FD);
        iommu.objects.release(iommu.objects.get('close', 'fault_id', FAULT));
        own.pools.files.free(file);
      },
    },
  },
  check(context) {
    const { alice, bob } = context.results;
    if (alice !== 0 && alice === bob) throw new Error('both readers have the same group');
    const last = machine.at(context);
    const users = last.context.objects.users(last.context.objects.get('check', 'fault_id', FAULT)) - 1;
    if (users !== 1) throw new Error(`the fault queue has ${users} users besides the check, not its HWPT alone`);
    const files = last.machine.live().files;
    if (files !== 0) throw new Error(`${files} files are in use at the end`);
  },
});
