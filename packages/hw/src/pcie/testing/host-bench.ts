import { expect } from 'vitest';
import { STALL_RETRY } from '../../smmu-v3/stall-port.ts';
import { Endpoint, type EndpointConfig } from '../endpoint.ts';
import type { EndpointQueue } from '../endpoint-queue.ts';
import { type EndpointStat, readEndpointStats } from '../endpoint-stats.ts';
import { PRI_STATUS_RF, PRI_STATUS_UPRGI } from '../function.layout.ts';
import type { Misbehaviours } from '../misbehaviour.ts';
import { PriCapability } from '../pri-capability.ts';
import type { MakePriHost, PriHost, PriHostOptions } from './pri-host.ts';

export const PASID = 5;
const READ = 1;
const MOST_TURNS = 100;

export type Shape = Pick<EndpointConfig, 'groupPages' | 'interleave'>;

/** Makes a bench with a fresh host. @param pasid of the accesses, or -1. Default: the host's. */
export type OpenBench = (options?: Partial<PriHostOptions>, shape?: Shape, pasid?: number) => Bench;

/** An endpoint at a host, and what a test asks about the two. */
export class Bench {
  readonly host: PriHost;
  readonly endpoint: Endpoint;
  readonly pri: PriCapability;
  readonly queue: EndpointQueue;
  readonly #pump = (): void => void this.endpoint.pump();
  #page = 0x1000;

  constructor(makeHost: MakePriHost, options: Partial<PriHostOptions>, shape: Shape = {}, pasid: number = PASID) {
    this.host = makeHost({ credits: 64, entries: 128, pasid: PASID, ...options });
    const { words, portAt, functionAt, statsAt } = this.host;
    this.endpoint = new Endpoint(words, { ...shape, portAt, functionAt, statsAt, clock: () => 0 });
    this.pri = new PriCapability(words, functionAt, []);
    this.queue = this.endpoint.openQueue(pasid, 512);
  }

  misbehave(switches: Misbehaviours): this {
    this.endpoint.misbehave(switches);
    return this;
  }

  stat(name: EndpointStat): number {
    return readEndpointStats(this.host.words, this.host.statsAt)[name];
  }

  /** The named statistics of the endpoint, and `handled`: how many groups the host's handler was given. */
  expectCounts(expected: { readonly [name in EndpointStat | 'handled']?: number }): void {
    const names = Object.keys(expected) as (keyof typeof expected)[];
    const found = names.map((name) => [name, name === 'handled' ? this.host.handled() : this.stat(name)]);
    expect(Object.fromEntries(found)).toEqual(expected);
  }

  /** Bits RF and UPRGI of PRI Status. */
  get errors(): number {
    return this.pri.status() & (PRI_STATUS_UPRGI | PRI_STATUS_RF);
  }

  /** Posts a round of fresh pages, unless the last one waits for answers. */
  post(pages: number): void {
    if (!this.queue.isDone()) return;
    this.queue.reset();
    for (let page = 0; page < pages; page++) this.queue.post(this.#page++, 0, READ, 0);
    this.queue.publish();
  }

  /** Lets both sides work until nothing moves; in a storm something always does. */
  settle(): void {
    for (let turns = 0, idle = 0; turns < MOST_TURNS && idle < 3; turns++) {
      this.host.settle();
      idle = this.endpoint.pump() === 0 ? idle + 1 : 0;
    }
  }

  run(pages: number): void {
    this.post(pages);
    this.settle();
  }

  results(): number[] {
    return Array.from({ length: this.queue.posted }, (_, slot) => this.queue.result(slot));
  }

  /** Every result of the round is one and the same. */
  expectResults(result: number): void {
    expect(this.queue.isDone()).toBe(true);
    expect(this.results()).toEqual(Array(this.queue.posted).fill(result));
  }

  /** How many results of the round are `result`. */
  countOf(result: number): number {
    return this.results().filter((found) => found === result).length;
  }

  /** Nothing pending or set aside at the host, which is sound. */
  expectHostIdle(): void {
    expect([this.host.pending(), this.host.partials()]).toEqual([0, 0]);
    this.host.verify();
  }

  /** Nothing outstanding on either side, and a host that goes on: four more groups are each handled once. */
  expectClean(): void {
    this.expectHostIdle();
    expect([this.endpoint.outstanding, this.endpoint.groups]).toEqual([0, 0]);
    this.endpoint.misbehave({});
    const unexpected = this.stat('unexpected');
    const handled = this.host.handled();
    const groups = this.stat('groups');
    this.run(4);
    this.expectResults(STALL_RETRY);
    expect(this.stat('unexpected')).toBe(unexpected);
    expect(this.host.handled() - handled).toBe(this.stat('groups') - groups);
    this.expectHostIdle();
  }

  off(): void {
    this.host.priOff(this.#pump);
  }

  on(): void {
    this.host.priOn(this.#pump);
  }

  /** What a broken function is brought back with. Enabling has cleared its status. */
  recover(): void {
    this.off();
    this.on();
    this.settle();
    expect(this.queue.isDone()).toBe(true);
    this.pri.clearStatus(PRI_STATUS_UPRGI | PRI_STATUS_RF);
  }

  /** Every group was answered once: by a handler, or by hardware. */
  expectAllAnswered(): void {
    expect(this.queue.isDone()).toBe(true);
    expect(this.stat('succeeded')).toBe(this.stat('groups'));
  }

  /** As {@link expectAllAnswered}; where the family leaves requests unanswered that met a full queue, the rest goes with a reset. */
  expectAllAnsweredOrReset(): void {
    const isOpen = !this.queue.isDone() || this.endpoint.outstanding > 0;
    if (this.host.traits.onOverflow === 'none' && isOpen) this.recover();
    else this.expectAllAnswered();
  }
}
