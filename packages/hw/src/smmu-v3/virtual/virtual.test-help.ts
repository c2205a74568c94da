// A virtual side of four devices on one thread, in memory of its own.
import { Arena, planArena } from '@faultline/core/memory';
import { Doorbell, doorbellWords, LINE, mutexLock, mutexUnlock, type Words } from '@faultline/core/sync';
import { initVirtual, VirtualArea, type VirtualConfig, virtualWords } from './layout.ts';
import { allocNested } from './nested-domain.ts';
import { Vdevices } from './vdevices.ts';
import { allocVsmmu } from './vsmmu.ts';
import { VStreams } from './vstream.ts';

export const SELF = { id: 1, spins: 0 };
export const DEVICES = 4;
export const VMID = 0x1234;
/** StreamID of a device. */
export const sidOf = (device: number): number => 0x80000000 + device * 0x100;
/** First two words of a stream table entry: V and Config. */
export const TRANSLATES = 1 | (5 << 1);
export const BYPASSES = 1 | (4 << 1);

export class VirtualRig {
  readonly words: Words;
  readonly base: number;
  /** LINE words of nobody's. */
  readonly spareAt: number;
  /** A page of 4 KiB, aligned. */
  readonly pageAt: number;
  readonly area: VirtualArea;
  readonly vdevices: Vdevices;
  readonly streams: VStreams;
  readonly doorbell: Doorbell;
  readonly #groups: number;

  constructor(size: Partial<VirtualConfig> = {}) {
    const groups = { name: 'groups', words: DEVICES * LINE };
    const config = (groupsAt: number): VirtualConfig => ({
      masters: Array.from({ length: DEVICES }, (_, i) => ({ streamId: sidOf(i), groupMutex: groupsAt + i * LINE })),
      ...{ domains: 4, vsmmus: 2, idBlocks: 2, ...size },
    });
    const arena = Arena.create(
      planArena([
        groups,
        { name: 'spare', words: 64 * LINE },
        { name: 'bell', words: doorbellWords() },
        { name: 'virtual', words: virtualWords(config(LINE)) },
        { name: 'page', words: 2048 },
      ]),
    );
    this.words = arena.words;
    this.#groups = arena.base('groups');
    this.base = arena.base('virtual');
    this.spareAt = arena.base('spare');
    this.pageAt = Math.ceil(arena.base('page') / 1024) * 1024;
    initVirtual(this.words, this.base, config(this.#groups));
    this.area = new VirtualArea(this.words, this.base);
    this.vdevices = new Vdevices(this.area, SELF);
    this.streams = new VStreams(this.area, SELF, this.vdevices);
    this.doorbell = new Doorbell(this.words, arena.base('bell'));
  }

  vsmmu(vmid: number = VMID): number {
    return allocVsmmu(this.area, vmid);
  }

  nested(vsmmu: number, low: number = TRANSLATES, high: number = 0, attributes: number = 0): number {
    this.words.set([low, high, attributes, 0], this.spareAt);
    return allocNested(this.area, vsmmu, 0, this.spareAt);
  }

  attach(device: number, domain: number, install: () => void = () => {}): number {
    return this.underGroupMutex(device, () => this.streams.attach(device, domain, install));
  }

  underGroupMutex<T>(device: number, body: () => T): T {
    const at = this.#groups + device * LINE;
    mutexLock(this.words, at, SELF);
    try {
      return body();
    } finally {
      mutexUnlock(this.words, at, SELF);
    }
  }
}

// What the threads of virtual.threads.test.ts share.

/** Words of the spare region, for {@link Part}. */
export const STOP = 160;
export const ENTRY = 32; // the vSMMU whose guest the device translates for
export const FORWARDED = 64; // events that reached a guest
export const RECORD = 96; // the hardware's, and 8 on: as the guest sees it
export const COMMAND = 128;

export interface Part {
  readonly role: 'attach' | 'vdevices' | 'interrupt' | 'guest';
  readonly id: number;
  readonly words: Words;
  readonly base: number;
  readonly spareAt: number;
  readonly rounds: number;
}

export interface Outcome {
  readonly role: Part['role'];
  readonly done: number;
  readonly refused: number;
  readonly wrong: readonly string[];
}

/** What each guest calls the device. */
export const nameIn = (vsmmu: number): number => vsmmu * 100;
