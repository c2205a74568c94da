import { Doorbell, doorbellWords, initDoorbell, LINE, type Words } from '@faultline/core/sync';
import { AtsCapability } from '../ats-capability.ts';
import { endpointStatWords } from '../endpoint-stats.ts';
import { functionWords, initFunction } from '../function.layout.ts';
import { PriCapability } from '../pri-capability.ts';
import { initPriPort, PRG_FAILURE, PRG_INVALID, PRG_SUCCESS, priPortWords } from '../pri-port.layout.ts';
import type { PriHost, PriHostOptions, PriHostTraits } from './pri-host.ts';
import { isLast, isStopMarker, ScriptedHost, type SeenRequest } from './scripted-host.ts';

/** The plainest host that keeps the contract: a queue as an array, partial groups as a map, a handler that says Success.
 * What families are compared with, and what the contract is tried on. */
export class ModelHost implements PriHost {
  readonly traits: PriHostTraits;
  readonly words: Words;
  readonly portAt: number;
  readonly functionAt: number;
  readonly statsAt: number;
  readonly #host: ScriptedHost;
  readonly #pri: PriCapability;
  readonly #entries: number;
  readonly #credits: number;
  readonly #queue: SeenRequest[] = [];
  readonly #partials: Map<number, SeenRequest[]> = new Map();
  #overflowed = false;
  #isOn = true;
  #handled = 0;

  constructor(options: PriHostOptions, traits: Partial<PriHostTraits> = {}) {
    this.traits = { onOverflow: 'success', onOff: 'invalid', takesPlain: true, ...traits };
    this.#entries = options.entries;
    this.#credits = options.credits;
    let end = LINE;
    const take = (size: number): number => {
      end += size;
      return end - size;
    };
    const doorbellBase = take(doorbellWords());
    const wakeAt = take(doorbellWords());
    const announceBase = take(LINE);
    this.functionAt = take(functionWords());
    this.statsAt = take(endpointStatWords());
    this.portAt = take(priPortWords(options.credits));
    this.words = new Int32Array(new SharedArrayBuffer(end * 4));
    initDoorbell(this.words, doorbellBase);
    initDoorbell(this.words, wakeAt);
    initFunction(this.words, this.functionAt, { capacity: options.credits });
    const { credits } = options;
    initPriPort(this.words, this.portAt, { port: 0, rid: 0x0200, credits, wakeAt, announceBase, doorbellBase });
    this.#host = new ScriptedHost(this.words, announceBase, [this.portAt]);
    this.#pri = new PriCapability(this.words, this.functionAt, [new Doorbell(this.words, wakeAt)]);
    new AtsCapability(this.words, this.functionAt).enable(12);
    this.#pri.enable(credits);
  }

  runHardware(): void {
    for (const request of this.#host.take()) {
      if (!this.#isOn) this.#answer(request, this.traits.onOff);
      else if (this.#overflowed || this.#queue.length === this.#entries) {
        this.#overflowed = true;
        this.#answer(request, this.traits.onOverflow);
      } else this.#queue.push(request);
    }
    this.#host.ports.flush();
  }

  settle(): void {
    do {
      this.runHardware();
      this.#drain();
    } while (this.#queue.length > 0);
  }

  handled(): number {
    return this.#handled;
  }

  pending(): number {
    return 0; // the handler answers at once
  }

  partials(): number {
    let count = 0;
    for (const members of this.#partials.values()) count += members.length;
    return count;
  }

  priOff(step: () => void): void {
    this.#pri.disable();
    step(); // what waited is refused; what was begun is sent
    this.settle();
    this.#partials.clear();
    this.#isOn = false;
    step();
  }

  priOn(step: () => void): void {
    if (!this.#pri.isStopped()) {
      this.#pri.reset();
      step();
    }
    this.settle(); // with the IOMMU side still off
    this.#isOn = true;
    this.#pri.enable(this.#credits);
  }

  verify(): void {
    if (this.#overflowed && this.#queue.length === 0) throw new Error('the overflow was never acknowledged');
  }

  #drain(): void {
    for (const request of this.#queue.splice(0)) {
      if (isStopMarker(request)) continue;
      if (!isLast(request)) {
        const members = this.#partials.get(request.prgi) ?? [];
        this.#partials.set(request.prgi, [...members, request]);
        continue;
      }
      this.#partials.delete(request.prgi);
      if (request.pasid < 0 && !this.traits.takesPlain) {
        this.#answer(request, 'failure');
        continue;
      }
      this.#handled++;
      this.#answer(request, 'success');
    }
    this.#host.ports.flush();
    if (!this.#overflowed) return;
    this.#partials.clear(); // their last requests were answered by hardware, or lost
    this.#overflowed = false;
  }

  #answer(request: SeenRequest, how: 'success' | 'invalid' | 'failure' | 'none'): void {
    if (how === 'none' || !isLast(request) || isStopMarker(request)) return;
    const code = { success: PRG_SUCCESS, invalid: PRG_INVALID, failure: PRG_FAILURE }[how];
    this.#host.ports.respondTo(request.port, request.prgi, code, request.pasid, this.#host.tick);
  }
}
