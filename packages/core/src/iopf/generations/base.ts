import { IommuError } from '../../errors/index.ts';
import { OBJECT_FREE } from '../../memory/index.ts';
import { mutexLock, mutexUnlock, type ThreadSelf, type Words } from '../../sync/index.ts';
import { BookKeeper } from '../books.ts';
import { listHead, listNext, listRemove } from '../fault-list.ts';
import {
  DEVICE_ATTACH_LOCK,
  DEVICE_PARAM,
  DEVICE_PARAM_LOCK,
  DEVICE_WORDS,
  DOMAIN_HANDLER,
  DOMAIN_WORDS,
  GROUP_ANSWERED,
  GROUP_PENDING,
  GROUP_STATE,
  GROUP_VOID,
  groupDomainOf,
  groupParamOf,
  groupStateOf,
  HANDLE_DOMAIN,
  HANDLE_WORDS,
  PARAM_DEVICE,
  PARAM_LOCK,
  PARAM_WORDS,
  packGroupState,
  REQUEST_WORDS,
} from '../layout.ts';
import type { IommuOps } from '../ops.ts';
import { ALL_GROUPS, partialsDrop } from '../partial-list.ts';
import { FAULT_DEVICE, FAULT_FLAG_PASID_VALID, FAULT_FLAGS, FAULT_PASID, type ResponseCode } from '../record.ts';
import type { IopfSystem } from '../system.ts';
import type { GroupSink } from './fault-path.ts';

/** What all generations share: the same memory, the same lists, the same books. What differs is in the generations. */
export abstract class FaultPathBase {
  readonly books: BookKeeper;
  readonly countsPending: boolean = false;
  readonly leasesPages: boolean = false;
  readonly admitsJobs: boolean = false;
  protected readonly system: IopfSystem;
  protected readonly words: Words;
  protected readonly self: ThreadSelf;
  protected readonly ops: IommuOps;
  protected readonly sink: GroupSink;
  /** Word offset of request object 0; object i is at objects + i * REQUEST_WORDS. */
  protected readonly objects: number;
  protected readonly params: number;
  protected readonly handles: number;
  protected readonly deviceCount: number;

  constructor(system: IopfSystem, ops: IommuOps, sink: GroupSink) {
    this.system = system;
    this.words = system.words;
    this.self = system.self;
    this.ops = ops;
    this.sink = sink;
    this.objects = system.requests.objects;
    this.params = system.params.objects;
    this.handles = system.handles.objects;
    this.deviceCount = system.config.devices;
    this.books = new BookKeeper(system.words, system.books);
  }

  protected requestAt(index: number): number {
    return this.objects + index * REQUEST_WORDS;
  }
  protected paramAt(index: number): number {
    return this.params + index * PARAM_WORDS;
  }
  protected deviceAt(device: number): number {
    return this.system.devices + device * DEVICE_WORDS;
  }
  protected knowsDevice(device: number): boolean {
    return device >= 1 && device <= this.deviceCount;
  }

  /** Copies a record: the copies that seed 000 asks about are counted in calls of this. */
  protected copyRecord(to: number, from: number): void {
    const { words } = this;
    words[to] = words[from];
    words[to + 1] = words[from + 1];
    words[to + 2] = words[from + 2];
    words[to + 3] = words[from + 3];
    words[to + 4] = words[from + 4];
    words[to + 5] = words[from + 5];
    words[to + 6] = words[from + 6];
    words[to + 7] = words[from + 7];
  }

  /** The attach handle of the record's PASID, or of "no PASID". Takes no lock; the caller says what keeps the handle. */
  protected findHandle(recordAt: number): number {
    const { words } = this;
    const pasid = (words[recordAt + FAULT_FLAGS] & FAULT_FLAG_PASID_VALID) !== 0 ? words[recordAt + FAULT_PASID] : 0;
    return this.system.attachArray(words[recordAt + FAULT_DEVICE]).load(pasid);
  }

  /** The same under the attach array's lock, as xa_load() in a locked section. */
  protected findHandleLocked(recordAt: number): number {
    const lock = this.deviceAt(this.words[recordAt + FAULT_DEVICE]) + DEVICE_ATTACH_LOCK;
    mutexLock(this.words, lock, this.self);
    const handle = this.findHandle(recordAt);
    mutexUnlock(this.words, lock, this.self);
    return handle;
  }

  protected handleDomain(handle: number): number {
    return handle === 0 ? 0 : this.words[this.handles + handle * HANDLE_WORDS + HANDLE_DOMAIN];
  }
  protected domainHandler(domain: number): number {
    return this.words[this.system.domains + domain * DOMAIN_WORDS + DOMAIN_HANDLER];
  }

  protected countCode(code: ResponseCode): void {
    if (code === 0) this.books.success++;
    else if (code === 1) this.books.invalid++;
    else this.books.failure++;
  }

  /** Answers one request that never became anybody's group. */
  protected refuse(recordAt: number, code: ResponseCode): void {
    this.ops.pageResponse(recordAt, code);
    this.books.refused++;
    this.countCode(code);
  }

  /** @returns the device's fault_param, 0 for none. What keeps it is the caller's affair. */
  protected loadParam(device: number): number {
    return Atomics.load(this.words, this.deviceAt(device) + DEVICE_PARAM);
  }

  /** A fresh fault_param that nobody else can see. */
  protected allocParam(device: number): number {
    this.system.checkDevice('addDevice', device);
    const param = this.system.paramCache.alloc();
    if (param === 0) throw new IommuError('ENOMEM', 'addDevice', 'device', device, 'no fault_param left');
    const at = this.paramAt(param);
    this.words.fill(0, at, at + PARAM_WORDS);
    this.words[at + PARAM_DEVICE] = device;
    return param;
  }

  /** Installs a fresh fault_param unless there is one: as the generations before `lockless` do it, under the parameter lock. */
  protected installLocked(device: number, fresh: number): boolean {
    const { words, self } = this;
    const at = this.deviceAt(device);
    mutexLock(words, at + DEVICE_PARAM_LOCK, self);
    const taken = Atomics.load(words, at + DEVICE_PARAM) !== 0;
    if (!taken) Atomics.store(words, at + DEVICE_PARAM, fresh);
    mutexUnlock(words, at + DEVICE_PARAM_LOCK, self);
    if (taken) this.system.paramCache.free(fresh);
    return !taken;
  }

  // For generations whose devices list groups under the fault lock, which guards STATE there.

  /** The holder's answer. @returns false when the group is void. */
  protected respondListedGroup(group: number, code: ResponseCode): boolean {
    const { words, self } = this;
    const groupAt = this.requestAt(group);
    // STATE names the lock that guards it: read plainly before it is taken, for the fault_param alone, which stays the same from
    // the report to the free, whatever whoever has the lock makes of the rest.
    const param = this.paramAt(groupParamOf(words[groupAt + GROUP_STATE]));
    mutexLock(words, param + PARAM_LOCK, self);
    const pending = groupStateOf(words[groupAt + GROUP_STATE]) === GROUP_PENDING;
    if (pending) this.#answerListed(param, group, code, GROUP_ANSWERED);
    mutexUnlock(words, param + PARAM_LOCK, self);
    if (pending) this.books.answered++;
    else this.books.late++;
    return pending;
  }

  /** Answers a device's pending groups, of one domain or (0) of all, and marks them void. The caller keeps `param`. @returns how many. */
  protected respondListedGroups(param: number, domain: number, code: ResponseCode): number {
    const { words, objects, self } = this;
    const at = this.paramAt(param);
    let answered = 0;
    mutexLock(words, at + PARAM_LOCK, self);
    let index = listHead(words, at);
    while (index !== 0) {
      const next = listNext(words, objects, index);
      if (domain === 0 || groupDomainOf(words[this.requestAt(index) + GROUP_STATE]) === domain) {
        this.#answerListed(at, index, code, GROUP_VOID);
        answered++;
      }
      index = next;
    }
    mutexUnlock(words, at + PARAM_LOCK, self);
    this.books.voided += answered;
    return answered;
  }

  /** Context: fault lock, the group pending. */
  #answerListed(param: number, group: number, code: ResponseCode, state: number): void {
    const { words } = this;
    const at = this.requestAt(group);
    this.ops.pageResponse(at, code);
    listRemove(words, this.objects, param, group);
    const seen = words[at + GROUP_STATE];
    words[at + GROUP_STATE] = packGroupState(state, groupDomainOf(seen), groupParamOf(seen));
    this.countCode(code);
  }

  discardPartial(device: number): number {
    this.system.checkDevice('discardPartial', device);
    const param = this.loadParam(device);
    if (param === 0) return 0;
    const at = this.paramAt(param);
    mutexLock(this.words, at + PARAM_LOCK, this.self);
    const dropped = partialsDrop(this.words, this.objects, at, ALL_GROUPS, this.system.requestCache);
    mutexUnlock(this.words, at + PARAM_LOCK, this.self);
    this.books.dropped += dropped;
    return dropped;
  }

  releaseOwn(): boolean {
    this.system.deferredParams.poll();
    return true;
  }

  isReleased(): boolean {
    const { params, config } = this.system;
    this.releaseOwn();
    let taken = 0;
    for (let param = 1; param <= params.capacity; param++) if (params.state(param) !== OBJECT_FREE) taken++;
    for (let device = 1; device <= config.devices; device++) if (this.loadParam(device) !== 0) taken--;
    return taken === 0;
  }

  endBatch(): void {
    this.sink.publish();
    this.ops.flushResponses();
    this.system.reader.quiescent();
  }

  close(): void {
    this.ops.flushResponses();
    this.books.publish();
    this.system.close();
  }
}
