import type { Words } from '@faultline/core/sync';
import { NO_PORT } from '../../queue/announce.ts';
import {
  REQUEST_FLAGS,
  REQUEST_INVALIDATED,
  REQUEST_LAST,
  REQUEST_PAGE_HI,
  REQUEST_PAGE_LO,
  REQUEST_PASID,
  REQUEST_PASID_VALID,
  REQUEST_PRGI,
  REQUEST_READ,
  REQUEST_TICK,
  REQUEST_WRITE,
} from '../pri-port.layout.ts';
import { NO_RECORD } from '../pri-port.ts';
import { PriPortSet } from '../pri-port-set.ts';

/** One record as the IOMMU got it. */
export interface SeenRequest {
  readonly port: number;
  readonly page: number;
  readonly flags: number;
  /** Or -1. */
  readonly pasid: number;
  readonly prgi: number;
  readonly tick: number;
}

export function isLast(request: SeenRequest): boolean {
  return (request.flags & REQUEST_LAST) !== 0;
}

/** As the wire has it: last, with PASID, neither read nor write. */
export function isStopMarker(request: SeenRequest): boolean {
  const { flags } = request;
  return isLast(request) && (flags & REQUEST_PASID_VALID) !== 0 && (flags & (REQUEST_READ | REQUEST_WRITE)) === 0;
}

/** An IOMMU without a mind of its own: a test takes requests from it and sends answers through it. */
export class ScriptedHost {
  readonly #words: Words;
  readonly ports: PriPortSet;
  /** ITAGs whose completion has come, oldest first. */
  readonly completed: number[] = [];
  tick = 5000;

  constructor(words: Words, announceAt: number, bases: readonly number[]) {
    this.#words = words;
    this.ports = new PriPortSet(words, announceAt, bases);
  }

  /** Takes up to `most` records that have been published. Completions go to `completed`, in order. */
  take(most = Infinity): SeenRequest[] {
    const seen: SeenRequest[] = [];
    this.ports.collect();
    for (let port = this.ports.head(); port !== NO_PORT && seen.length < most; port = this.ports.head()) {
      const servant = this.ports.servant(port);
      for (let at = servant.peek(); at !== NO_RECORD && seen.length < most; at = servant.peek()) {
        const request = this.#read(port, at);
        if ((request.flags & REQUEST_INVALIDATED) !== 0) this.completed.push(request.prgi);
        else seen.push(request);
        servant.next();
      }
      this.ports.rotate();
    }
    return seen;
  }

  /** Answers each group of `requests` whose last page is there, stop markers aside. @returns answers sent. */
  answer(requests: readonly SeenRequest[], code: number): number {
    const due = requests.filter((request) => isLast(request) && !isStopMarker(request));
    for (const { port, prgi, pasid } of due) this.ports.respondTo(port, prgi, code, pasid, this.tick);
    this.ports.flush();
    return due.length;
  }

  /** Sends one answer to the first port. */
  respond(prgi: number, code: number, pasid = -1): void {
    this.ports.respondTo(0, prgi, code, pasid, this.tick);
    this.ports.flush();
  }

  invalidate(itag: number, page: number, sizeLg2: number, pasid = -1): void {
    this.ports.invalidate(0, itag, page | 0, Math.floor(page / 2 ** 32), sizeLg2, pasid);
    this.ports.flush();
  }

  #read(port: number, at: number): SeenRequest {
    const words = this.#words;
    const flags = words[at + REQUEST_FLAGS];
    return {
      port,
      page: words[at + REQUEST_PAGE_HI] * 2 ** 32 + (words[at + REQUEST_PAGE_LO] >>> 0),
      flags,
      pasid: (flags & REQUEST_PASID_VALID) === 0 ? -1 : words[at + REQUEST_PASID],
      prgi: words[at + REQUEST_PRGI],
      tick: words[at + REQUEST_TICK],
    };
  }
}
