import { type Scenario, scenario, type ThreadContext } from '@faultline/bench/explore';
import type { VirtualEventRouter } from '@faultline/hw/smmu-v3/virtual';
import { DEVICE, GUEST, HOST, LOCK_LOOK, MEMORY, NESTED, Side, setUp, VSID } from './vdevice-system.ts';

const DRAFT = 'set and unset with the vdevice';
const AFTER = 'changed after the entry alone';
const UNFENCED = 'set before the event queue is fenced';
const ADOPTED = 'set and cleared with the domain';
const FROM_GUEST = 1;
const TO_GUEST = 2;

/** The device goes from the guest's domain to the host's, and back. */
function replace(side: Side, design: string, domain: number): void {
  if (design === DRAFT) side.install(domain);
  else if (design === AFTER) {
    side.streams.prepare(DEVICE, domain);
    side.install(domain);
    side.fence();
    side.streams.commit(DEVICE);
  } else
    side.streams.attach(DEVICE, domain, () => {
      side.install(domain);
      if (design === ADOPTED) side.fence();
    });
}

class Interrupt {
  readonly side: Side;
  readonly #router: VirtualEventRouter;
  #routed = false;

  constructor(context: ThreadContext) {
    this.side = new Side(context);
    this.#router = this.side.router({
      reportEvent: (vsmmu, recordAt) => {
        const vsid = context.words[recordAt + 1];
        if (vsmmu !== GUEST || vsid !== VSID) throw new Error(`vSMMU ${vsmmu} is told of its stream ${vsid}`);
        this.#routed = true;
        return 0;
      },
    });
  }

  /** Records an event and routes it. @returns FROM_GUEST and TO_GUEST. */
  take(): number {
    this.#routed = false;
    let from = HOST;
    this.side.whileRecorded(() => {
      from = this.side.translatedBy();
      this.#router.route(DEVICE, this.side.eventAt);
    });
    return (from === NESTED ? FROM_GUEST : 0) | (this.#routed ? TO_GUEST : 0);
  }
}

export const vdeviceOutOfSync: Scenario = scenario(import.meta.url, {
  name: '001/vdevice-out-of-sync',
  about:
    "A device leaves a guest's domain and comes back while it faults: does an event of the host's go to the guest?",
  seed: '001',
  source: 'seed 001, "can get out of sync with the domain"; hw/src/smmu-v3/virtual/vstream.ts',
  designs: {
    [DRAFT]: 'fails', // the draft: whatever is attached, a vdevice's events go to its vIOMMU
    [AFTER]: 'fails', // what Linux does between two paging domains: the entry is the host's before the pair is cleared
    [UNFENCED]: 'fails', // an event of the host's domain is still in the queue when the pair is set
    [ADOPTED]: 'holds',
  },
  memory: MEMORY,
  setup(context) {
    const side = setUp(context);
    side.underGroupMutex(() => side.streams.attach(DEVICE, NESTED, () => side.install(NESTED)));
  },
  threads: {
    attach: {
      open: (context) => new Side(context),
      run({ design }, side: Side) {
        side.underGroupMutex(() => {
          replace(side, design, HOST);
          replace(side, design, NESTED);
        });
      },
    },
    isr: {
      open: (context) => new Interrupt(context),
      run: (_, own: Interrupt) => own.take(),
    },
  },
  check({ results }) {
    const from = (results.isr & FROM_GUEST) !== 0 ? "the guest's" : "the host's";
    return `${from}, ${(results.isr & TO_GUEST) !== 0 ? 'to the guest' : 'kept'}`;
  },
  outcomes: {
    "the guest's, to the guest": 'acceptable',
    "the host's, kept": 'acceptable',
    "the guest's, kept": 'interesting', // recorded while the domain goes or comes: as if a moment before or after
    "the host's, to the guest": 'forbidden',
  },
  racy: [LOCK_LOOK],
});
