// A device that has a vdevice is unbound, while its user ends the vdevice or makes one.
import { type CheckContext, type Scenario, scenario } from '@faultline/bench/explore';
import { IommuSystem, type IommuThread } from '../kit/iommu-machine.ts';
import { DEVICE, makeViommu, NEXT_ID, VIOMMU } from '../kit/iommu-start.ts';
import { DEVICE_VDEVICE, destroy, ID_TOMBSTONE, unbindDevice, vdeviceAlloc } from '../kit/iommufd.ts';
import { refusalOf } from '../kit/refusal.ts';

const UNLOCKED = 'unbind looks the vdevice up without a lock, beside destroy';
const BESIDE_ALLOC = 'unbind beside alloc';
const machine = new IommuSystem({ devices: 1, threads: 2 });

const alloc = ({ call }: IommuThread): unknown => call(vdeviceAlloc, { viommuId: VIOMMU, devId: DEVICE, virtId: 9n });

/** As one would write it first: what the device names is a vdevice. */
function endVdeviceUnlocked({ machine: own, context: { objects, words } }: IommuThread): void {
  const vdevice = words[objects.at(own.idsOf(1).load(DEVICE)) + DEVICE_VDEVICE];
  if (vdevice !== 0 && objects.tryHold(vdevice)) objects.remove('unbind', vdevice, ID_TOMBSTONE);
}

export const vdeviceGoes: Scenario = scenario(import.meta.url, {
  name: '004/vdevice-goes',
  about: 'A device is unbound while its vdevice is ended, or made: does the vdevice go once, and before the device?',
  seed: '001',
  source: 'iommufd/src/device/bind.ts, unbindDevice(); iommufd/src/viommu/vdevice.ts',
  designs: { [UNLOCKED]: 'fails', 'unbind beside destroy': 'holds', [BESIDE_ALLOC]: 'holds' },
  memory: machine.memory,
  racy: machine.racy,
  setup(context) {
    machine.setup((first) => {
      makeViommu(first);
      if (context.design !== BESIDE_ALLOC) alloc(first);
    })(context);
  },
  threads: {
    driver: {
      open: (context) => machine.open(context),
      run({ design }, me: IommuThread) {
        if (design === UNLOCKED) endVdeviceUnlocked(me);
        unbindDevice(me.context, DEVICE);
      },
    },
    user: {
      open: (context) => machine.open(context),
      run({ design }, me: IommuThread) {
        if (design === BESIDE_ALLOC) refusalOf(() => alloc(me));
        else refusalOf(() => me.call(destroy, { id: NEXT_ID }));
      },
    },
  },
  check(context: CheckContext) {
    const { context: iommu, machine: last } = machine.at(context);
    const left = iommu.objects.unfinished().length;
    if (left !== 3) throw new Error(`${left} objects are left, not an IOAS, an HWPT and a vIOMMU`);
    const users = iommu.objects.users(last.idsOf(1).load(VIOMMU));
    if (users !== 0) throw new Error(`the vIOMMU has ${users} users`);
  },
  timeouts: 'last', // a destroyer gives up after a minute
});
