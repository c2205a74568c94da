import { type Scenario, scenario, type ThreadContext } from '@faultline/bench/explore';
import type { VdeviceLookUp, VStreams } from '@faultline/hw/smmu-v3/virtual';
import {
  alone,
  DEVICE,
  destroyVsmmu,
  GUEST,
  LOCK_LOOK,
  MEMORY,
  NESTED,
  NESTED_TOO,
  OTHER_GUEST,
  OTHER_NESTED,
  Side,
  setUp,
} from './vdevice-system.ts';

const REDUCED = 'locked only when the pair changes';
const VSMMU_ALONE = 'locked only when vsmmu changes';
const UNLOCKED = 'changed without the lock';
/** What each guest calls the device: its own number, in tens. GUEST's changes once, with a vdevice that is made anew. */
const RENAMED = 1;
const nameIn = (vsmmu: number): number => vsmmu * 10;

/** vdevices as somebody else keeps them, who may take one away under an attached domain. */
class Names implements VdeviceLookUp {
  renamed = 0;
  virtualId(vsmmu: number): number {
    return nameIn(vsmmu) + (vsmmu === GUEST ? this.renamed : 0);
  }
  findDevice(): number {
    return DEVICE;
  }
}

class Attach {
  readonly side: Side;
  readonly #names = new Names();
  readonly #streams: VStreams;

  constructor(context: ThreadContext) {
    this.side = new Side(context);
    this.#streams = this.side.streamsWith(this.#names);
  }

  /** The same vSMMU once more, which takes no lock; then the other one, and the former goes. */
  move(locked: boolean): void {
    this.#attach(OTHER_NESTED, OTHER_GUEST, locked);
    this.#attach(NESTED, GUEST, locked);
    this.side.freeNested(OTHER_NESTED);
    if (destroyVsmmu(this.side.area, OTHER_GUEST) !== 0) throw new Error('the other vSMMU is still in use');
  }

  /** Another domain of the same vSMMU, where the device has got another name. */
  rename(): void {
    this.#names.renamed = RENAMED;
    if (this.side.pair().vsmmu !== GUEST) this.#streams.attach(DEVICE, NESTED_TOO, () => {});
  }

  #attach(domain: number, vsmmu: number, locked: boolean): void {
    if (!locked) this.side.setPair(vsmmu, nameIn(vsmmu), false);
    this.#streams.attach(DEVICE, domain, () => {});
  }
}

export const vdeviceReducedLock: Scenario = scenario(import.meta.url, {
  name: '001/vdevice-reduced-lock',
  about:
    'The attach path writes the lock only when something changes: does the interrupt side ever see half of a pair?',
  seed: '001',
  source: 'seed 001, "the lock on attach can be reduced"; hw/src/smmu-v3/virtual/vstream.ts',
  designs: {
    [UNLOCKED]: 'fails',
    [VSMMU_ALONE]: 'fails', // a vdevice that is made anew has the same vSMMU and another name
    [REDUCED]: 'holds',
  },
  memory: MEMORY,
  setup(context) {
    const side = setUp(context);
    const streams = side.streamsWith(new Names());
    const domain = context.design === VSMMU_ALONE ? NESTED : OTHER_NESTED;
    side.underGroupMutex(() => streams.attach(DEVICE, domain, () => {}));
  },
  threads: {
    attach: {
      open: (context) => new Attach(context),
      run({ design }, own: Attach) {
        own.side.underGroupMutex(() => {
          if (design !== VSMMU_ALONE) own.move(design !== UNLOCKED);
          else own.rename();
        });
      },
    },
    isr: {
      open: (context) => new Side(context),
      run(_, { reader, area }: Side) {
        reader.enter(DEVICE);
        const { vsmmu, vsid } = reader;
        if (vsid !== (vsmmu === 0 ? 0 : nameIn(vsmmu))) throw new Error(`vSMMU ${vsmmu} calls no stream ${vsid}`);
        if (vsmmu !== 0 && Atomics.load(area.words, area.vsmmuAt('isr', vsmmu)) === 0)
          throw new Error(`events are routed to vSMMU ${vsmmu}, which is gone`);
        reader.leave();
      },
    },
  },
  check(context) {
    const { vsmmu, vsid } = alone(context).pair();
    if (context.design === VSMMU_ALONE && vsid !== nameIn(GUEST) + RENAMED)
      throw new Error(`the device is called ${nameIn(GUEST) + RENAMED} by now, and its events say ${vsid}`);
    if (vsmmu !== GUEST) throw new Error(`vSMMU ${vsmmu} is left in the pair`);
  },
  racy: [LOCK_LOOK],
});
