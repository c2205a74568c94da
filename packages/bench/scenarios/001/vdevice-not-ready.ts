import { type Scenario, scenario } from '@faultline/bench/explore';
import { alone, DEVICE, GUEST, HOST, LOCK_LOOK, MEMORY, NESTED, Side, setUp, VSID } from './vdevice-system.ts';

const EARLY = 'looked up before the group mutex';
const AT_ONCE = 'destroyed whatever is attached';
const READY = 'looked up and destroyed under the group mutex';
const ENOENT = -2;
const EBUSY = -16;
const NEW_VSID = VSID + 1;

/** @returns 0, or a negative errno. */
function attach(side: Side, design: string): number {
  if (design !== EARLY) return side.underGroupMutex(() => side.streams.attach(DEVICE, NESTED, () => {}));
  const vsid = side.underGroupMutex(() => side.vdevices.virtualId(GUEST, DEVICE));
  if (vsid < 0) return vsid;
  const early = side.streamsWith({ virtualId: () => vsid, findDevice: () => DEVICE });
  return side.underGroupMutex(() => early.attach(DEVICE, NESTED, () => {}));
}

export const vdeviceNotReady: Scenario = scenario(import.meta.url, {
  name: '001/vdevice-not-ready',
  about:
    'A nested attach meets the end and the return of its vdevice: does a guest ever have a stream it has no name for?',
  seed: '001',
  source: 'seed 001, "should just fail if idev->vdev isn\'t ready"; hw/src/smmu-v3/virtual/vdevices.ts',
  designs: { [EARLY]: 'fails', [AT_ONCE]: 'fails', [READY]: 'holds' },
  memory: MEMORY,
  setup(context) {
    setUp(context);
  },
  threads: {
    attach: {
      open: (context) => new Side(context),
      run: ({ design }, side: Side) => attach(side, design),
    },
    vdevices: {
      open: (context) => new Side(context),
      run({ design }, side: Side) {
        const gone = design === AT_ONCE ? side.vdevices.destroyNow(DEVICE) : side.vdevices.destroy(DEVICE);
        return gone === 0 ? side.vdevices.alloc(GUEST, DEVICE, NEW_VSID) : gone;
      },
    },
  },
  check(context) {
    const side = alone(context);
    const { attach: attached, vdevices } = context.results;
    const { vsmmu, vsid } = side.pair();
    const name = side.vdevices.virtualId(GUEST, DEVICE);
    if ((attached === 0) !== (side.attached() === NESTED)) throw new Error(`attach said ${attached}`);
    if (attached === ENOENT && vdevices === 0) return vsmmu === HOST ? 'not ready' : 'a stream of nobody';
    if (attached !== 0) return `attach: ${attached}`;
    if (name < 0) return 'nested without a vdevice';
    if (vsmmu !== GUEST || vsid !== name) return 'nested under a name that is gone';
    return vdevices === EBUSY ? 'attached, the vdevice stays' : 'attached under the new name';
  },
  outcomes: {
    'not ready': 'acceptable',
    'attached, the vdevice stays': 'acceptable',
    'attached under the new name': 'acceptable',
    'nested without a vdevice': 'forbidden',
    'nested under a name that is gone': 'forbidden',
  },
  racy: [LOCK_LOOK],
});
