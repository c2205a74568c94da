import { mutexOwner } from '@faultline/core/sync';
import { AtsCapability } from '../../pcie/ats-capability.ts';
import { DEVICE, LocklessHost, type PriSteps, sound } from '../../pcie/testing/lockless-host.ts';
import type { PriHostOptions, PriHostTraits } from '../../pcie/testing/pri-host.ts';
import { EventPump } from '../event-pump.ts';
import { VtdHardware } from '../hardware.ts';
import { VTD_FSTS, VTD_IQ_LOCK, VTD_PQH, VTD_PQT, VTD_PRS } from '../layout.ts';
import { VtdProcedures } from '../procedures.ts';
import { FSTS_QUEUE_ERRORS, PRS_PRO } from '../registers.ts';
import { initVtd, vtdAnnounceBase, vtdWords } from '../unit.ts';
import { VtdOps } from '../vtd-ops.ts';

const RID = 5;

/** A unit and its driver at core's lockless fault path. */
export class VtdHost extends LocklessHost<VtdHardware, EventPump, VtdOps> {
  readonly traits: PriHostTraits = { onOverflow: 'success', onOff: 'invalid', takesPlain: true };
  readonly procedures: VtdProcedures;
  protected readonly off: PriSteps;

  constructor(options: PriHostOptions) {
    const requestOrder = Math.max(0, Math.ceil(Math.log2((options.entries + 1) / 128)));
    const vtd = { requestOrder, invalidationOrder: 1, rids: 8, ports: 1, threads: 1 };
    super(options, {
      rid: RID,
      words: vtdWords(vtd),
      init: (words, base) => initVtd(words, base, vtd),
      announceBase: vtdAnnounceBase,
      hardware: ({ words, base, portAt, irq }) =>
        new VtdHardware(words, base, { ports: [portAt], irq, clock: () => 0 }),
      ops: ({ words, base, ...own }) => new VtdOps(words, base, 0, { ...own, timeoutMs: 2000 }),
      pump: ({ words, base }, reporter, ops) => new EventPump(words, base, { reporter, ops }),
    });
    const { words, base, ops, hardwareDoorbell } = this;
    const driver = new VtdProcedures(words, base, { ops, hardwareDoorbell, timeoutMs: 2000 });
    this.procedures = driver;
    this.off = {
      blockDevice: () => driver.blockDevice(RID),
      fenceEventQueue: () => driver.fenceEventQueue(RID),
      fenceResponses: () => driver.fenceResponses(RID),
      disablePri: () => driver.disablePri(RID),
    };
    this.run(driver.enable());
    this.run(driver.attachDevice(RID, DEVICE));
    new AtsCapability(words, this.functionAt).enable(12);
    this.attach();
  }

  protected attachDriver(step: () => void): void {
    for (const pasid of this.pasids)
      this.run(this.procedures.attach(RID, pasid, { kind: 'first-level', did: 1 + pasid, faults: true }), step);
    this.pri.enable(this.credits);
  }

  verify(): void {
    sound('the queue errors in FSTS', this.load(VTD_FSTS) & FSTS_QUEUE_ERRORS, 0);
    const empty = this.load(VTD_PQH) === this.load(VTD_PQT);
    sound('PRO beside an empty queue', empty ? this.load(VTD_PRS) & PRS_PRO : 0, 0);
    sound('the owner of the queue', mutexOwner(this.words, this.base + VTD_IQ_LOCK), 0);
    sound('refused descriptors', this.ops.refused, 0);
  }
}
