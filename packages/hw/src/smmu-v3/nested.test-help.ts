// A guest with one device behind a whole SMMU, on one thread.
import { mutexLock, mutexUnlock } from '@faultline/core/sync';
import {
  CONTEXT_DEFAULTS,
  encodeCd,
  type FieldValues,
  type NestedDomain,
  PagingDomain,
  SmmuMaster,
  type SmmuMasterConfig,
  SmmuOps,
  virtualNested,
} from './index.ts';
import { Rig, type RigConfig } from './rig.test-help.ts';
import { allocNested, allocVsmmu, GuestCommands, Vdevices, VStreamReader, VStreams } from './virtual/index.ts';
import { MASTER_GROUP } from './virtual/layout.ts';

export const SELF = { id: 1, spins: 0 };
/** The device and its stream. */
export const SID = 3;
export const VMID = 0x44;
/** What the guest calls it. */
export const VSID = 0x12345;
export const S1 = 5;

export class NestedBench {
  readonly rig: Rig;
  readonly vsmmu: number;
  readonly parent: PagingDomain = new PagingDomain({ stage2: { vmid: VMID, tableAt: 0x4000 } });
  readonly vdevices: Vdevices;
  readonly streams: VStreams;
  /** The host's command queue 0; the hardware works whenever it is rung. */
  readonly ops: SmmuOps;
  readonly tlbis: number[][] = [];
  #invalidated: { page: number; pasid: number; code: number }[] = [];
  #answers = true;

  constructor(config: RigConfig = {}) {
    const tlb = {
      invalidate: (record: Int32Array, at: number): void => {
        this.tlbis.push(Array.from(record.subarray(at, at + 4), (w) => w >>> 0));
      },
    };
    const portList = [{ streamId: SID, substreamId: -1 }];
    const virtual = { queues: 2, ...config.virtual };
    this.rig = new Rig({ off: true, contextLog2: 2, functions: [SID], portList, tlb, ...config, virtual });
    const { rig } = this;
    rig.enable();
    this.vsmmu = allocVsmmu(rig.area, VMID);
    this.vdevices = new Vdevices(rig.area, SELF);
    this.streams = new VStreams(rig.area, SELF, this.vdevices);
    this.ops = new SmmuOps(rig.words, rig.base, 0, {
      hardwareDoorbell: { ring: () => this.hardware() },
      timeoutMs: 200,
    });
    rig.guests.open(this.vsmmu);
    this.setContext({});
  }

  /** Lets the hardware and the function work: what the function is told to drop is kept for {@link invalidated}. */
  hardware(): void {
    for (let left = 8; left > 0; left--) {
      this.rig.hw.pump(64);
      if (!this.#answers) return;
      const told = this.rig.received(0).filter(({ invalidate }) => invalidate === true);
      for (const { prgi, page, pasid, code } of told) {
        this.#invalidated.push({ page: page ?? 0, pasid, code });
        this.rig.functions[0].post(0, 0, 128, 0, prgi, 0);
      }
      this.rig.functions[0].publish();
    }
  }

  /** The function completes no invalidation any more. */
  silence(): void {
    this.#answers = false;
  }

  /** Takes what the function was told to drop. */
  invalidated(): { page: number; pasid: number; code: number }[] {
    return this.#invalidated.splice(0);
  }

  /** Writes the guest's context descriptor, in its own memory. */
  setContext(fields: FieldValues): void {
    encodeCd(this.rig.words, this.rig.pageAt, { ...CONTEXT_DEFAULTS, asid: 9, ttb0Lo: 0x1000, ...fields });
  }

  /** A nested domain of the guest's: by default stage 1 over its one descriptor. */
  nested(config: number = S1, w1: number = 0, vsmmu: number = this.vsmmu, s1CDMax: number = 0): NestedDomain {
    return virtualNested(this.rig.area, this.nestedNumber(config, w1, vsmmu, s1CDMax), this.parent);
  }

  nestedNumber(config: number, w1: number = 0, vsmmu: number = this.vsmmu, s1CDMax: number = 0): number {
    const { words, spareAt, pageAt, area } = this.rig;
    words.set([1 | (config << 1) | (pageAt << 2), (pageAt >>> 30) | (s1CDMax << 27), w1, 0], spareAt);
    return allocNested(area, vsmmu, 0, spareAt);
  }

  claim(config: Partial<SmmuMasterConfig> = {}): Promise<SmmuMaster> {
    const { rig, streams } = this;
    const virtual = { streams, fence: () => rig.driver.fenceEventQueue() };
    return this.run(() =>
      SmmuMaster.claim(rig.words, rig.base, { ops: this.ops, device: SID, streamIds: [SID], virtual, ...config }),
    );
  }

  /** Runs everything while the driver waits, with the device's group mutex held. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    const { words, area } = this.rig;
    const group = words[area.masterAt('run', SID) + MASTER_GROUP];
    mutexLock(words, group, SELF);
    try {
      const promise = call();
      let open = true;
      const end = (): void => {
        open = false;
      };
      promise.then(end, end);
      while (open) {
        this.hardware();
        this.rig.pump.pump(64);
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
      return await promise;
    } finally {
      mutexUnlock(words, group, SELF);
    }
  }

  /** The device reads page 0xabcde, which nobody mapped, and the interrupt thread takes what the hardware says to that. */
  fault(): void {
    this.rig.ports[0].reset();
    this.rig.post(0, 1, 0xabcde, 1);
    this.hardware();
    this.rig.pump.pump(64);
  }

  /** Records of a guest, word by word, since the last time. */
  told(vsmmu: number = this.vsmmu): readonly (readonly number[])[] {
    return this.rig.guests.read(vsmmu).events.map(({ record }) => record);
  }

  commands(): GuestCommands {
    return new GuestCommands(this.rig.area, this.vsmmu, SELF, this.vdevices, this.ops);
  }

  /** What the interrupt thread would route by. */
  pair(): readonly [number, number] {
    const reader = new VStreamReader(this.rig.area, { id: 2, spins: 0 });
    reader.enter(SID);
    const { vsmmu, vsid } = reader;
    reader.leave();
    return [vsmmu, vsid];
  }
}
