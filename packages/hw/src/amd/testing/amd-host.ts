import { mutexOwner } from '@faultline/core/sync';
import { AtsCapability } from '../../pcie/ats-capability.ts';
import { DEVICE, LocklessHost, type PriSteps, sound } from '../../pcie/testing/lockless-host.ts';
import type { PriHostOptions, PriHostTraits } from '../../pcie/testing/pri-host.ts';
import { AmdOps } from '../amd-ops.ts';
import { AmdEventPump } from '../event-pump.ts';
import { AmdHardware } from '../hardware.ts';
import {
  AMD_CMD_HEAD,
  AMD_CMD_LOCK,
  AMD_CMD_TAIL,
  AMD_EVT_HEAD,
  AMD_EVT_TAIL,
  AMD_PPR_HEAD,
  AMD_PPR_TAIL,
  AMD_STATUS,
  amdAnnounceBase,
  amdWords,
  initAmd,
} from '../layout.ts';
import { AmdProcedures } from '../procedures.ts';
import { MIN_RING_ENTRIES, STATUS_CMD_RUN, STATUS_EVT_RUN, STATUS_PPR_RUN } from '../registers.ts';

const DEVICE_ID = 0x0205;

/** An AMD IOMMU and its driver at core's lockless fault path. */
export class AmdHost extends LocklessHost<AmdHardware, AmdEventPump, AmdOps> {
  /** Requests without a PASID are answered Failure by the pump, as in Linux. */
  readonly traits: PriHostTraits = { onOverflow: 'success', onOff: 'invalid', takesPlain: false };
  readonly procedures: AmdProcedures;
  protected readonly off: PriSteps;

  constructor(options: PriHostOptions) {
    const pprEntries = Math.max(MIN_RING_ENTRIES, 2 ** Math.ceil(Math.log2(options.entries + 1)));
    const rings = { pprEntries, eventEntries: 512, commandEntries: 512 };
    const amd = { ...rings, devices: DEVICE_ID + 1, ports: 1, gcr3Tables: 1 };
    super(options, {
      rid: DEVICE_ID,
      words: amdWords(amd),
      init: (words, base) => initAmd(words, base, amd),
      announceBase: amdAnnounceBase,
      hardware: ({ words, base, portAt, irq }) =>
        new AmdHardware(words, base, { ports: [portAt], irq, clock: () => 0 }),
      ops: ({ words, base, ...own }) => new AmdOps(words, base, { ...own, timeoutMs: 2000 }),
      pump({ words, base }, path, ops) {
        const onLost = (): void => void path.discardPartial(DEVICE);
        return new AmdEventPump(words, base, { reporter: path, ops, clock: () => 0, onLost });
      },
    });
    const { words, base, ops, hardwareDoorbell, pri, pasid } = this;
    const driver = new AmdProcedures(words, base, { ops, hardwareDoorbell, timeoutMs: 2000 });
    this.procedures = driver;
    this.off = {
      blockDevice: () => driver.blockDevice(DEVICE_ID),
      fenceEventQueue: () => driver.fenceEventQueue([DEVICE_ID]),
      fenceResponses: () => driver.fenceResponses(),
      *disablePri() {
        yield* driver.detachPasid(DEVICE_ID, pasid);
        yield* driver.disablePri(DEVICE_ID);
      },
    };
    this.run(driver.enable());
    driver.bindDevice(DEVICE_ID, DEVICE, { maxPasids: 64, pri, ats: new AtsCapability(words, this.functionAt) });
    this.attach();
  }

  protected attachDriver(step: () => void): void {
    this.run(this.procedures.attach(DEVICE_ID, { kind: 'identity', domain: 1 }), step);
    this.run(this.procedures.attachPasid(DEVICE_ID, this.pasid, 0x1000), step);
    this.run(this.procedures.enablePri(DEVICE_ID, this.credits), step);
  }

  verify(): void {
    if (this.pump.needsWork()) return; // the rest holds once the logs are drained
    sound('STATUS', this.load(AMD_STATUS), STATUS_CMD_RUN | STATUS_EVT_RUN | STATUS_PPR_RUN);
    sound('PPR_HEAD', this.load(AMD_PPR_HEAD), this.load(AMD_PPR_TAIL));
    sound('EVT_HEAD', this.load(AMD_EVT_HEAD), this.load(AMD_EVT_TAIL));
    if (!this.hw.needsWork()) sound('CMD_HEAD', this.load(AMD_CMD_HEAD), this.load(AMD_CMD_TAIL));
    sound('the owner of the command buffer', mutexOwner(this.words, this.base + AMD_CMD_LOCK), 0);
    sound('refused commands', this.ops.recovered, 0);
  }
}
