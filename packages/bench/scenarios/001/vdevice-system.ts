// One device behind one SMMU with two vSMMUs: what the vdevice scenarios run on.
import type { Context, Racy, Region, ThreadContext } from '@faultline/bench/explore';
import { layoutOffset } from '@faultline/core/memory';
import { mutexLock, mutexUnlock, writeLock, writeUnlock } from '@faultline/core/sync';
import {
  allocNested,
  allocVsmmu,
  freeNested,
  initVirtual,
  masterLayout,
  type VdeviceLookUp,
  Vdevices,
  VirtualArea,
  VirtualEventRouter,
  type VirtualEventSink,
  VStreamReader,
  VStreams,
  virtualWords,
} from '@faultline/hw/smmu-v3/virtual';

export { destroyVsmmu } from '@faultline/hw/smmu-v3/virtual';

export const DEVICE = 0;
/** vSMMUs. */
export const GUEST = 1;
export const OTHER_GUEST = 2;
/** What GUEST calls the device. */
export const VSID = 21;
/** Nested domains: two of GUEST, one of OTHER_GUEST. 0 is a domain of the host's. */
export const NESTED = 1;
export const NESTED_TOO = 2;
export const OTHER_NESTED = 3;
export const HOST = 0;

const MASTER = 32; // of the virtual region: the master's first word
const VALID_STAGE_1 = 1 | (5 << 1); // V and Config, of the guest's stream table entry
const EVENT = 0x10 | (0 << 11); // F_TRANSLATION, no substream, no stall
const EVENT_WORDS = 8;
const VSTREAM_VSMMU = layoutOffset(masterLayout, 'VSTREAM_VSMMU');
const VSTREAM_VSID = layoutOffset(masterLayout, 'VSTREAM_VSID');
const LOCK = layoutOffset(masterLayout, 'LOCK');

/** ENTRY: the domain by which the device's stream table entry translates. QUEUE: a mutex, held from the moment an event is recorded until it is
 * routed, so that who takes it has fenced the event queue. */
export const STREAM: Region = { name: 'stream', words: 2, fields: { ENTRY: 0, QUEUE: 1 } };
const GROUP: Region = { name: 'group', words: 1, fields: { MUTEX: 0 } };
const RECORDS: Region = { name: 'records', words: 2 * EVENT_WORDS };
const SIZE = { domains: 3, vsmmus: 2, idBlocks: 1 };
const VIRTUAL: Region = {
  name: 'virtual',
  words: virtualWords({ ...SIZE, masters: [{ streamId: 5, groupMutex: 1 }] }),
  fields: Object.fromEntries(masterLayout.fields.map(({ name, offset }) => [`master.${name}`, MASTER + offset])),
};
export const MEMORY: readonly Region[] = [VIRTUAL, STREAM, GROUP, RECORDS];

export const LOCK_LOOK: Racy = {
  region: VIRTUAL.name,
  offsets: [MASTER + LOCK],
  why: 'readUnlock asks whether anybody reads: who calls it rightly is counted in there, whatever else changes.',
};

/** A thread's view of the system. */
export class Side {
  readonly area: VirtualArea;
  readonly vdevices: Vdevices;
  readonly streams: VStreams;
  readonly reader: VStreamReader;
  readonly #context: ThreadContext;

  constructor(context: ThreadContext) {
    this.#context = context;
    this.area = new VirtualArea(context.words, context.at(VIRTUAL.name));
    this.vdevices = new Vdevices(this.area, context.self);
    this.streams = this.streamsWith(this.vdevices);
    this.reader = new VStreamReader(this.area, context.self);
  }

  streamsWith(lookUp: VdeviceLookUp): VStreams {
    return new VStreams(this.area, this.#context.self, lookUp);
  }

  router(sink: VirtualEventSink): VirtualEventRouter {
    const at = this.#context.at(RECORDS.name);
    this.#context.words[at] = EVENT;
    return new VirtualEventRouter(this.area, this.#context.self, sink, at + EVENT_WORDS);
  }

  /** Where {@link router}'s event is. */
  get eventAt(): number {
    return this.#context.at(RECORDS.name);
  }

  underGroupMutex<T>(body: () => T): T {
    const { words, at, self } = this.#context;
    mutexLock(words, at(GROUP.name), self);
    try {
      return body();
    } finally {
      mutexUnlock(words, at(GROUP.name), self);
    }
  }

  /** Makes the device translate by another domain. */
  readonly install = (domain: number): void => {
    Atomics.store(this.#context.words, this.#context.at(STREAM.name), domain);
  };
  /** The domain by which an event is recorded now. */
  readonly translatedBy = (): number => Atomics.load(this.#context.words, this.#context.at(STREAM.name));
  /** No event that was recorded before is still on its way. */
  readonly fence = (): void => {
    this.whileRecorded(() => {});
  };
  whileRecorded(body: () => void): void {
    const { words, at, self } = this.#context;
    mutexLock(words, at(STREAM.name) + 1, self);
    body();
    mutexUnlock(words, at(STREAM.name) + 1, self);
  }

  /** Sets the pair without a look at the domain: what the draft's vdevice calls did, or, without the lock, what nobody should do. */
  setPair(vsmmu: number, vsid: number, locked: boolean): void {
    const { words, self } = this.#context;
    const at = this.area.masterAt('setPair', DEVICE);
    if (locked) writeLock(words, at + LOCK, self);
    words[at + VSTREAM_VSMMU] = vsmmu;
    words[at + VSTREAM_VSID] = vsid;
    if (locked) writeUnlock(words, at + LOCK, self);
  }

  /** The pair as it is: once the threads have ended, or under the group mutex. */
  pair(): { readonly vsmmu: number; readonly vsid: number } {
    const at = this.area.masterAt('pair', DEVICE);
    return { vsmmu: this.area.words[at + VSTREAM_VSMMU], vsid: this.area.words[at + VSTREAM_VSID] };
  }

  /** The nested domain that counts as attached, likewise. */
  attached(): number {
    return this.area.words[this.area.masterAt('attached', DEVICE) + layoutOffset(masterLayout, 'DOMAIN')];
  }

  freeNested(domain: number): void {
    const result = freeNested(this.area, domain);
    if (result !== 0) throw new Error(`nested domain ${domain} cannot be freed: ${result}`);
  }
}

/** A thread's view for setup and check, which run alone. */
export function alone(context: Context): Side {
  const self = { id: 8, spins: 0 };
  return new Side({ ...context, name: 'alone', self, random: () => 0, now: () => 0, call: () => 0, done: () => {} });
}

/** Two vSMMUs, their nested domains, and the device's vdevice in GUEST. */
export function setUp(context: Context): Side {
  const { words, at } = context;
  initVirtual(words, at(VIRTUAL.name), { ...SIZE, masters: [{ streamId: 5, groupMutex: at(GROUP.name) }] });
  const side = alone(context);
  const entry = at(RECORDS.name);
  words[entry] = VALID_STAGE_1;
  for (const vmid of [GUEST, OTHER_GUEST]) allocVsmmu(side.area, vmid);
  for (const vsmmu of [GUEST, GUEST, OTHER_GUEST]) allocNested(side.area, vsmmu, 0, entry);
  if (side.vdevices.alloc(GUEST, DEVICE, VSID) !== 0) throw new Error('no vdevice');
  return side;
}
