// What stamps faults stands round the parts of the fault path, in runs that ask for it: in others it is not made, and nothing looks
// whether to stamp.
import type { GroupSink, HandlerPath, IopfSystem, ResponseCode } from '@faultline/core/iopf';
import type { Reporter } from '../family/family.ts';
import { HANDLED, QUEUED, REPORTED, type Stamps, TAKEN } from './stamps.ts';

/** Stamps what is reported. */
export class StampingReporter implements Reporter {
  readonly #path: Reporter;
  readonly #stamps: Stamps;

  constructor(path: Reporter, stamps: Stamps) {
    this.#path = path;
    this.#stamps = stamps;
  }
  prepareFault(): number {
    return this.#path.prepareFault();
  }
  reportDeviceFault(recordAt: number): number {
    this.#stamps.record(recordAt, REPORTED);
    return this.#path.reportDeviceFault(recordAt);
  }
  endBatch(): void {
    this.#path.endBatch();
  }
  discardPartial(device: number): number {
    return this.#path.discardPartial(device);
  }
}

/** Stamps the groups that go to the work queue. */
export class StampingSink implements GroupSink {
  readonly #sink: GroupSink;
  readonly #stamps: Stamps;
  readonly #objects: number;

  constructor(sink: GroupSink, system: IopfSystem, stamps: Stamps) {
    this.#sink = sink;
    this.#stamps = stamps;
    this.#objects = system.requests.objects;
  }
  queue(group: number, domain: number): boolean {
    this.#stamps.group(this.#objects, group, QUEUED);
    return this.#sink.queue(group, domain);
  }
  publish(): void {
    this.#sink.publish();
  }
}

/** Stamps groups as their worker begins on them, and as it answers. */
export class StampingPath implements HandlerPath {
  readonly leasesPages: boolean;
  readonly #path: HandlerPath;
  readonly #stamps: Stamps;
  readonly #objects: number;

  constructor(path: HandlerPath, system: IopfSystem, stamps: Stamps) {
    this.leasesPages = path.leasesPages;
    this.#path = path;
    this.#stamps = stamps;
    this.#objects = system.requests.objects;
  }
  groupDomain(group: number): number {
    this.#stamps.group(this.#objects, group, TAKEN);
    return this.#path.groupDomain(group);
  }
  respondGroup(group: number, code: ResponseCode): boolean {
    this.#stamps.group(this.#objects, group, HANDLED);
    return this.#path.respondGroup(group, code);
  }
  freeGroup(group: number): void {
    this.#path.freeGroup(group);
  }
  endBatch(): void {
    this.#path.endBatch();
  }
}
