// An object is destroyed while a call uses it, for each type that stands; its row is taken for another object at once.
import { type Scenario, scenario } from '@faultline/bench/explore';
import { makeEventQueue } from '../kit/events.ts';
import { IommuSystem, type IommuThread } from '../kit/iommu-machine.ts';
import { DEVICE, FAULT_FD, HWPT, IOAS, makeFaulting, makeViommu, NEXT_ID, VIOMMU } from '../kit/iommu-start.ts';
import {
  ACCESS_KIND,
  bindDevice,
  createAccess,
  destroy,
  destroyAccess,
  FAULT_QUEUE,
  faultQueueAlloc,
  HW_QUEUE_INDEX,
  HWPT_DATA_ARM_SMMUV3,
  HWPT_DOMAIN,
  hwptAlloc,
  hwQueueAlloc,
  IOAS_BODY,
  IOAS_MAP_FIXED_IOVA,
  IOAS_MAP_READABLE,
  IOAS_MAP_WRITEABLE,
  ioasAlloc,
  ioasMap,
  OBJ_ACCESS,
  OBJ_DEVICE,
  OBJ_FAULT,
  OBJ_HW_QUEUE,
  OBJ_HWPT_NESTED,
  OBJ_HWPT_PAGING,
  OBJ_IOAS,
  OBJ_SELFTEST,
  OBJ_VDEVICE,
  OBJ_VEVENTQ,
  OBJ_VIOMMU,
  unbindDevice,
  VDEVICE_DEVICE,
  VEVENTQ_BODY,
  VIOMMU_HWPT,
  vdeviceAlloc,
} from '../kit/iommufd.ts';
import { refusalOf } from '../kit/refusal.ts';

const machine = new IommuSystem({ devices: 2, threads: 2, regions: [{ name: 'victim', words: 1 }] });
const TWICE = 'IOAS, destroyed twice';
const UNCOUNTED = 'IOAS, no calls counted';

interface Kind {
  readonly type: number;
  /** A word of the payload that any use reads. */
  readonly word: number;
  /** Makes the victim. @returns its id. */
  make(first: IommuThread): number;
  /** Default: the ioctl. */
  end?(me: IommuThread, id: number): void;
  /** What the other thread does to it. Default: {@link look}. */
  use?(me: IommuThread, id: number, kind: Kind): void;
}

/** A call that finds it, reads it twice, and lets go of it. */
function look({ context: { objects, words } }: IommuThread, id: number, { type, word }: Kind): void {
  const object = objects.tryGet(id, [type]);
  if (object === 0) return;
  const at = objects.at(object);
  const before = words[at + word];
  if (objects.users(object) < 0) throw new Error('an object is in use, and nobody uses it');
  if (words[at + word] !== before) throw new Error('an object in use has changed');
  objects.put(object);
}

const IOAS_KIND: Kind = { type: OBJ_IOAS, word: IOAS_BODY, make: ({ call }) => Number(call(ioasAlloc, {}).outIoasId) };

/** As one would write it first: nobody uses it, so the id goes, and then the object. */
function endUncounted({ machine: own, context: { objects } }: IommuThread, id: number): void {
  const ids = own.idsOf(1);
  const object = ids.load(id);
  if (objects.users(object) !== 0) return;
  ids.erase(id);
  own.pools.ioas.free(own.words[objects.at(object) + IOAS_BODY]);
  own.pools.objects.free(object);
}

const KINDS: Readonly<Record<string, Kind>> = {
  [UNCOUNTED]: { ...IOAS_KIND, end: endUncounted },
  IOAS: IOAS_KIND,
  [TWICE]: {
    ...IOAS_KIND,
    use: ({ call }, id) => void refusalOf(() => call(destroy, { id })),
  },
  'HWPT, paging': {
    type: OBJ_HWPT_PAGING,
    word: HWPT_DOMAIN,
    make(first) {
      makeFaulting(first);
      return HWPT;
    },
  },
  'HWPT, nested': {
    type: OBJ_HWPT_NESTED,
    word: HWPT_DOMAIN,
    make(first) {
      makeViommu(first);
      const data = { dataType: HWPT_DATA_ARM_SMMUV3, dataLen: 4 };
      return Number(first.call(hwptAlloc, { ...data, devId: DEVICE, ptId: VIOMMU }).outHwptId);
    },
  },
  'fault queue': {
    type: OBJ_FAULT,
    word: FAULT_QUEUE,
    make({ call, caller }) {
      const { outFaultId } = call(faultQueueAlloc, {});
      caller.files.close(FAULT_FD);
      return Number(outFaultId);
    },
  },
  device: {
    type: OBJ_DEVICE,
    word: IOAS_BODY,
    make: ({ context }) => bindDevice(context, 1),
    end: ({ context }, id) => unbindDevice(context, id),
  },
  vIOMMU: {
    type: OBJ_VIOMMU,
    word: VIOMMU_HWPT,
    make(first) {
      makeViommu(first);
      return VIOMMU;
    },
  },
  'event queue': {
    type: OBJ_VEVENTQ,
    word: VEVENTQ_BODY,
    make(first) {
      makeEventQueue(first, 2);
      first.caller.files.close(FAULT_FD);
      return NEXT_ID;
    },
  },
  'hardware queue': {
    type: OBJ_HW_QUEUE,
    word: HW_QUEUE_INDEX,
    make(first) {
      makeViommu(first);
      const flags = IOAS_MAP_FIXED_IOVA | IOAS_MAP_READABLE | IOAS_MAP_WRITEABLE;
      first.call(ioasMap, { flags, ioasId: IOAS, userVa: 0n, length: 4096n, iova: 0n });
      const queue = { type: 1, index: 0, nestingParentIova: 0n, length: 4096n };
      return Number(first.call(hwQueueAlloc, { viommuId: VIOMMU, ...queue }).outHwQueueId);
    },
  },
  access: {
    type: OBJ_ACCESS,
    word: ACCESS_KIND,
    make: ({ context }) => context.objects.idOf(createAccess(context, 'setup', { kind: 1, pins: false })),
    end: ({ context }, id) => destroyAccess(context, context.machine.idsOf(1).load(id)),
  },
  vdevice: {
    type: OBJ_VDEVICE,
    word: VDEVICE_DEVICE,
    make(first) {
      makeViommu(first);
      return Number(first.call(vdeviceAlloc, { viommuId: VIOMMU, devId: DEVICE, virtId: 9n }).outVdeviceId);
    },
  },
};

export const destroyInUse: Scenario = scenario(import.meta.url, {
  name: '004/destroy-in-use',
  about: 'An object is destroyed while a call uses it: is it whole until the call is over, or found by nobody?',
  seed: '004',
  source: 'iommufd/src/objects/object-table.ts',
  designs: Object.fromEntries(Object.keys(KINDS).map((name) => [name, name === UNCOUNTED ? 'fails' : 'holds'])),
  memory: machine.memory,
  racy: machine.racy,
  setup(context) {
    machine.setup((first) => {
      context.words[context.at('victim')] = KINDS[context.design].make(first);
    })(context);
  },
  threads: {
    user: {
      open: (context) => ({ me: machine.open(context), id: context.words[context.at('victim')] }),
      run({ design }, { me, id }: { me: IommuThread; id: number }) {
        (KINDS[design].use ?? look)(me, id, KINDS[design]);
      },
    },
    vmm: {
      open: (context) => ({ me: machine.open(context), id: context.words[context.at('victim')] }),
      run({ design }, { me, id }: { me: IommuThread; id: number }) {
        const { end } = KINDS[design];
        const refusal = refusalOf(() => (end === undefined ? me.call(destroy, { id }) : end(me, id)));
        if (refusal !== '' && refusal !== 'EBUSY' && refusal !== 'ENOENT') throw new Error(`refused: ${refusal}`);
        if (design === TWICE) return 0;
        const { objects } = me.context;
        // Where the victim was, if it is gone: one that comes to nothing, and one that is made.
        objects.abort(objects.reserve('another', OBJ_SELFTEST));
        return objects.finalize(objects.reserve('another', OBJ_SELFTEST));
      },
    },
  },
  check(context) {
    if (context.design === TWICE) return;
    const { objects } = machine.at(context).context;
    const object = objects.tryGet(context.results.vmm, [OBJ_SELFTEST]);
    if (object === 0) throw new Error('the object made last is not found');
    if (objects.users(object) !== 1) throw new Error(`the object made last has ${objects.users(object) - 1} users`);
  },
  timeouts: 'last', // freeing a domain gives up after ten seconds
});
