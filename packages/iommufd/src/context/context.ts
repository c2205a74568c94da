import { IommuError } from '@faultline/core/errors';
import { refcountIncNotZero, refcountInit, refcountPut, type Words } from '@faultline/core/sync';
import type { Machine } from '../machine/index.ts';
import { CONTEXT_FREE, CONTEXT_LIVE, CONTEXT_REFS, CONTEXT_STATE } from '../machine/layout.ts';
import { ObjectTable } from '../objects/index.ts';
import { destroyersOf } from './destroyers.ts';

/** One open /dev/iommu, as one thread uses it: its objects, and the machine that they stand in. */
export class Context {
  readonly machine: Machine;
  readonly number: number;
  /** Word offset of its row. */
  readonly at: number;
  readonly words: Words;
  readonly objects: ObjectTable;

  constructor(machine: Machine, number: number) {
    this.machine = machine;
    this.number = number;
    this.at = machine.contextAt(number);
    this.words = machine.words;
    this.objects = new ObjectTable({
      words: machine.words,
      self: machine.self,
      pool: machine.pools.objects,
      ids: machine.idsOf(number),
      context: number,
      fail: machine.fail,
      destroyers: destroyersOf(this),
    });
  }

  /** Keeps the context for one more file. The caller has one. */
  hold(): void {
    refcountIncNotZero(this.words, this.at + CONTEXT_REFS);
  }

  /** A file of the context is gone. With the last one goes everything that is in it. */
  put(): void {
    if (refcountPut(this.words, this.at + CONTEXT_REFS)) this.#end();
  }

  /** Leaves first: an object that others depend on has users until they are gone. No call runs: each holds a file. */
  #end(): void {
    while (this.objects.destroyUnused('close') !== 0);
    const left = this.objects.unfinished();
    if (left.length > 0)
      throw new IommuError(
        'EBUSY',
        'close',
        'id',
        left[0],
        `${left.length} objects use one another, or are used from outside`,
      );
    this.objects.forgetTombstones();
    this.machine.system.deferredHandles.poll();
    Atomics.store(this.words, this.at + CONTEXT_STATE, CONTEXT_FREE);
  }
}

/** Makes a context: opening /dev/iommu. It has one reference, the caller's. @throws IommuError ENOMEM every one is open */
export function openContext(machine: Machine): Context {
  const { words } = machine;
  if (machine.fail.fails('context')) throw new IommuError('ENOMEM', 'open', 'context', 0, 'made to fail');
  for (let number = 1; number <= machine.contexts; number++) {
    const at = machine.contextAt(number);
    if (Atomics.compareExchange(words, at + CONTEXT_STATE, CONTEXT_FREE, CONTEXT_LIVE) !== CONTEXT_FREE) continue;
    words.fill(0, at + CONTEXT_REFS, at + CONTEXT_REFS + 4);
    refcountInit(words, at + CONTEXT_REFS, 1);
    return new Context(machine, number);
  }
  throw new IommuError('ENOMEM', 'open', 'contexts', machine.contexts, 'every context is open');
}
