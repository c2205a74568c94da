import {
  FAULT_DEVICE,
  FAULT_PAGE_LO,
  GROUP_FAULTS,
  type HandlerPath,
  type IopfSystem,
  REQUEST_CHAIN,
  REQUEST_WORDS,
  type ResponseCode,
} from '@faultline/core/iopf';
import type { Clock, Words } from '@faultline/core/sync';
import type { TraceWriter } from '@faultline/core/trace';
import { ANSWER, HANDLE, MEMBER, VOID } from '../events.ts';
import type { FaultNumbers } from '../place.ts';

/** A handler's fault path that records each group in which a traced fault is. */
export class TracedPath implements HandlerPath {
  readonly leasesPages: boolean;
  readonly #path: HandlerPath;
  readonly #words: Words;
  readonly #objects: number;
  readonly #trace: TraceWriter;
  readonly #numbers: FaultNumbers;
  readonly #clock: Clock;
  #isTraced = false; // the group in hand
  #now = 0; // when the last one was answered; the next begins then
  #isNow = false;

  constructor(path: HandlerPath, system: IopfSystem, trace: TraceWriter, numbers: FaultNumbers, clock: Clock) {
    this.leasesPages = path.leasesPages;
    this.#path = path;
    this.#words = system.words;
    this.#objects = system.requests.objects;
    this.#trace = trace;
    this.#numbers = numbers;
    this.#clock = clock;
  }

  /** What a handler asks first of a group. */
  groupDomain(group: number): number {
    this.#isTraced = this.#begin(this.#objects + group * REQUEST_WORDS);
    return this.#path.groupDomain(group);
  }

  #begin(at: number): boolean {
    const words = this.#words;
    const last = this.#numbers.of(words[at + FAULT_PAGE_LO]);
    let member = words[at + GROUP_FAULTS];
    if (last === 0 && member === 0) return false;
    const device = words[at + FAULT_DEVICE];
    const tick = this.#isNow ? this.#now : this.#clock();
    let isTraced = last !== 0;
    if (isTraced) this.#trace.record(tick, HANDLE, device, last);
    while (member !== 0) {
      const memberAt = this.#objects + member * REQUEST_WORDS;
      const number = this.#numbers.of(words[memberAt + FAULT_PAGE_LO]);
      if (number !== 0) this.#trace.record(tick, isTraced ? MEMBER : HANDLE, device, number);
      isTraced ||= number !== 0;
      member = words[memberAt + REQUEST_CHAIN];
    }
    return isTraced;
  }

  respondGroup(group: number, code: ResponseCode): boolean {
    const isOurs = this.#path.respondGroup(group, code);
    this.#isNow = this.#isTraced;
    if (this.#isTraced) {
      this.#now = this.#clock();
      this.#trace.record(this.#now, isOurs ? ANSWER : VOID, code, 0);
    }
    return isOurs;
  }
  freeGroup(group: number): void {
    this.#path.freeGroup(group);
  }
  endBatch(): void {
    this.#path.endBatch();
    this.#isNow = false;
    this.#trace.publish();
  }
}
