import { IommuError } from '@faultline/core/errors';
import { mutexOwner, readLock, readUnlock, type ThreadSelf, writeLock, writeUnlock } from '@faultline/core/sync';
import {
  MASTER_DOMAIN,
  MASTER_FORMER_VSID,
  MASTER_FORMER_VSMMU,
  MASTER_GROUP,
  MASTER_LOCK,
  MASTER_NEXT_DOMAIN,
  MASTER_NEXT_VSID,
  MASTER_NEXT_VSMMU,
  NESTED_STE,
  NESTED_VSMMU,
  type VirtualArea,
  VSTREAM_VSID,
  VSTREAM_VSMMU,
} from './layout.ts';
import { getNested, putNested } from './nested-domain.ts';
import type { VdeviceLookUp } from './viommu.ts';
import { vsteTranslates } from './vste.ts';

// A master's stream state: the pair (vSMMU, virtual StreamID) to which its events belong. It is set and cleared with the domain, by the
// attach path and by nobody else, so the interrupt thread can never route by the vdevice of a domain that is not attached.
//
// The pair is guarded twice: writers hold the group mutex and the master's lock, so that holding either is enough to read it. The attach path,
// which has the mutex, looks whether the pair changes at all, and takes the lock only then.
//
// The physical entry changes between two of these steps. Before it: a pair that will not be the next one is cleared, so that no event of the
// next domain reaches the former's guest. After it: the next pair is set. What the event queue still holds of a former domain that was no
// guest's would be read as the guest's by then: a driver fences the event queue between installing and commit.
//
// Ordering.
//   [P] write: the pair, then LOCK              pairs with  [C] VStreamReader.enter: LOCK, then the pair
//   [R] leave: last use of the pair, then LOCK  pairs with  [X] write: LOCK, then the pair: no event is on its way to the former vSMMU
// What [X] gives outlasts the lock: once a master is off a vSMMU, nobody reports to it for that master, and it may go.

/** Sets and clears stream state. One instance a thread that attaches. Lock order: group mutex, then the master's lock.
 * @see Linux arm_smmu_attach_prepare_vmaster(), arm_smmu_attach_commit_vmaster() */
export class VStreams {
  readonly #area: VirtualArea;
  readonly #self: ThreadSelf;
  readonly #vdevices: VdeviceLookUp;

  constructor(area: VirtualArea, self: ThreadSelf, vdevices: VdeviceLookUp) {
    this.#area = area;
    this.#self = self;
    this.#vdevices = vdevices;
  }

  /** The virtual side whose masters these are. */
  get area(): VirtualArea {
    return this.#area;
  }

  /** Begins to attach nested domain `domain` to a device, 0 for any other kind of domain or none: finds its virtual id.
   * On success a {@link commit}, {@link restore} or {@link abort} is due. Context: group mutex.
   * @returns 0, or negative errno ENOENT: no such domain, or one that translates and a device that has no vdevice in its vSMMU.
   * @throws IommuError EINVAL */
  prepare(device: number, domain: number): number {
    const { words } = this.#area;
    const at = this.#master('VStreams.prepare', device);
    let vsmmu = 0;
    let vsid = 0;
    if (domain !== 0) {
      const got = getNested(this.#area, 'VStreams.prepare', domain);
      if (got !== 0) return got;
      const nested = this.#area.domainAt('VStreams.prepare', domain);
      vsmmu = words[nested + NESTED_VSMMU];
      vsid = this.#vdevices.virtualId(vsmmu, device);
      if (vsid < 0) {
        if (vsteTranslates(words, nested + NESTED_STE)) {
          putNested(this.#area, domain);
          return vsid;
        }
        vsmmu = vsid = 0; // abort and bypass need no name: nothing is routed
      }
    }
    words[at + MASTER_NEXT_DOMAIN] = domain;
    words[at + MASTER_NEXT_VSMMU] = vsmmu;
    words[at + MASTER_NEXT_VSID] = vsid;
    return 0;
  }

  /** Before the stream table entry changes: takes the stream from a vSMMU that it will not stay with. On return no event is on its way to that
   * vSMMU. Context: group mutex; waits for an interrupt thread that is routing. */
  clear(device: number): void {
    const { words } = this.#area;
    const at = this.#master('VStreams.clear', device);
    words[at + MASTER_FORMER_VSMMU] = words[at + VSTREAM_VSMMU];
    words[at + MASTER_FORMER_VSID] = words[at + VSTREAM_VSID];
    if (words[at + VSTREAM_VSMMU] !== 0 && this.#changes(at)) this.#write(at, 0, 0);
  }

  /** Whether {@link commit} will give the stream to a guest, so that the event queue is to be fenced before. Context: group mutex. */
  gives(device: number): boolean {
    const at = this.#master('VStreams.gives', device);
    return this.#area.words[at + MASTER_NEXT_VSMMU] !== 0 && this.#changes(at);
  }

  /** Whether {@link restore} will give the stream back to a guest, likewise. After {@link clear}. Context: group mutex. */
  givesBack(device: number): boolean {
    const { words } = this.#area;
    const at = this.#master('VStreams.givesBack', device);
    return words[at + MASTER_FORMER_VSMMU] !== words[at + VSTREAM_VSMMU];
  }

  /** After the entry has changed, and the event queue is fenced: what was prepared is what is attached. Cannot fail.
   * Context: group mutex. */
  commit(device: number): void {
    const { words } = this.#area;
    const at = this.#master('VStreams.commit', device);
    if (this.#changes(at)) this.#write(at, words[at + MASTER_NEXT_VSMMU], words[at + MASTER_NEXT_VSID]);
    const former = words[at + MASTER_DOMAIN];
    words[at + MASTER_DOMAIN] = words[at + MASTER_NEXT_DOMAIN];
    words[at + MASTER_NEXT_DOMAIN] = 0;
    if (former !== 0) putNested(this.#area, former);
  }

  /** Instead of {@link commit}, after {@link clear}, once the entry is what it was and the event queue is fenced: so is the pair. Its vSMMU is still
   * there, as the domain that is attached holds it. Cannot fail. Context: group mutex. */
  restore(device: number): void {
    const { words } = this.#area;
    const at = this.#master('VStreams.restore', device);
    if (this.givesBack(device)) this.#write(at, words[at + MASTER_FORMER_VSMMU], words[at + MASTER_FORMER_VSID]);
    this.abort(device);
  }

  /** Instead of {@link commit}: what was prepared is dropped. The pair is as it was, or, after {@link clear}, the stream may be nobody's.
   * Context: group mutex. */
  abort(device: number): void {
    const { words } = this.#area;
    const at = this.#master('VStreams.abort', device);
    if (words[at + MASTER_NEXT_DOMAIN] !== 0) putNested(this.#area, words[at + MASTER_NEXT_DOMAIN]);
    words[at + MASTER_NEXT_DOMAIN] = 0;
  }

  /** The three steps. `install` changes the stream table entry and fences. If it throws, the stream routes nowhere and no nested domain
   * counts as attached: attach anew. Context: group mutex. @returns as {@link prepare} */
  attach(device: number, domain: number, install: () => void): number {
    const result = this.prepare(device, domain);
    if (result !== 0) return result;
    this.clear(device);
    let installed = false;
    try {
      install();
      installed = true;
    } finally {
      if (!installed) this.#giveUp(device);
    }
    this.commit(device);
    return 0;
  }

  #giveUp(device: number): void {
    this.abort(device);
    this.prepare(device, 0);
    this.clear(device);
    this.commit(device);
  }

  /** Both words: a vdevice that was made anew has the same vSMMU and another name. */
  #changes(at: number): boolean {
    const { words } = this.#area;
    if (words[at + VSTREAM_VSMMU] !== words[at + MASTER_NEXT_VSMMU]) return true;
    return words[at + VSTREAM_VSID] !== words[at + MASTER_NEXT_VSID];
  }

  #write(at: number, vsmmu: number, vsid: number): void {
    const { words } = this.#area;
    writeLock(words, at + MASTER_LOCK, this.#self); // [X]
    words[at + VSTREAM_VSMMU] = vsmmu;
    words[at + VSTREAM_VSID] = vsid;
    writeUnlock(words, at + MASTER_LOCK, this.#self); // [P]
  }

  #master(call: string, device: number): number {
    const { words } = this.#area;
    const at = this.#area.masterAt(call, device);
    const owner = mutexOwner(words, words[at + MASTER_GROUP]);
    if (owner !== this.#self.id)
      throw new IommuError(
        'EINVAL',
        call,
        'device',
        device,
        `its group mutex is ${owner === 0 ? 'free' : `${owner}'s`}`,
      );
    return at;
  }
}

/** The interrupt side's look at stream state: the pair is valid, and its vSMMU there, from {@link enter} to {@link leave}. */
export class VStreamReader {
  readonly #area: VirtualArea;
  readonly #self: ThreadSelf;
  #at = 0;
  /** The vSMMU to which the stream's events go, 0: to no guest. */
  vsmmu = 0;
  /** What the guest calls the stream. */
  vsid = 0;

  constructor(area: VirtualArea, self: ThreadSelf) {
    this.#area = area;
    this.#self = self;
  }

  /** Context: may wait for an attach path that changes the pair; that one waits for nothing meanwhile. @throws IommuError EINVAL */
  enter(device: number): void {
    const { words } = this.#area;
    this.#at = this.#area.masterAt('VStreamReader.enter', device);
    readLock(words, this.#at + MASTER_LOCK, this.#self); // [C]
    this.vsmmu = words[this.#at + VSTREAM_VSMMU];
    this.vsid = words[this.#at + VSTREAM_VSID];
  }

  leave(): void {
    this.vsmmu = 0;
    readUnlock(this.#area.words, this.#at + MASTER_LOCK); // [R]
  }
}
