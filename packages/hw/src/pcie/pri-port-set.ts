import { IommuError } from '@faultline/core/errors';
import type { Words } from '@faultline/core/sync';
import { Announcements, NO_PORT } from '../queue/announce.ts';
import { Turns } from '../queue/turns.ts';
import { PRG_INDICES, PRI_ANNOUNCE, PRI_CREDITS, PRI_INDEX } from './pri-port.layout.ts';
import { NO_RECORD, PriServant } from './pri-port.ts';

// The hardware's side of all PRI ports of an IOMMU: which have records, taken in turn, and where responses go.
// Orderings are named in pri-port.ts. Everything here is the hardware's own.

/** Ends of all ports. Loop: collect(); while (head() !== NO_PORT) { records of servant(head()); rotate(); } flush(). */
export class PriPortSet {
  readonly #announced: Announcements;
  readonly #servants: PriServant[] = [];
  readonly #routes: Map<number, Int32Array> = new Map(); // by RID: port of each PRG index, or NO_PORT
  readonly #turns: Turns; // ports with records
  readonly #unsent: Int32Array; // ports with responses to publish
  readonly #isUnsent: Uint8Array;
  #unsentCount = 0;
  readonly count: number;

  /** @param bases base of each port, in order of its index.
   * @throws IommuError EINVAL when a port's index is not its place, its announce bitmap is another one, or two ports of a function
   * use the same PRG index. */
  constructor(words: Words, announceBase: number, bases: readonly number[]) {
    this.#announced = new Announcements(words, announceBase, bases.length);
    this.#turns = new Turns(bases.length);
    this.count = bases.length;
    this.#unsent = new Int32Array(bases.length);
    this.#isUnsent = new Uint8Array(bases.length);
    bases.forEach((base, port) => {
      if (words[base + PRI_INDEX] !== port || words[base + PRI_CREDITS] === 0)
        throw new IommuError('EINVAL', 'PriPortSet', 'bases', base, `no PRI port ${port} was laid out here`);
      if (words[base + PRI_ANNOUNCE] !== announceBase)
        throw new IommuError('EINVAL', 'PriPortSet', 'bases', base, `port ${port} announces to another IOMMU`);
      const servant = new PriServant(words, base);
      this.#servants.push(servant);
      this.#route(servant, port);
    });
  }

  /** Takes the announcements that have come in: their ports join the end of the turn list. */
  collect(): void {
    for (let port = this.#announced.next(); port !== NO_PORT; port = this.#announced.next()) this.#turns.join(port);
  }

  /** Whether a port has announced itself since {@link collect}. */
  announced(): boolean {
    return this.#announced.pending();
  }

  /** @returns the port whose turn it is, or NO_PORT. */
  head(): number {
    return this.#turns.head();
  }

  /** Ends the head's turn: releases what was taken; to the end of the list, or off it when nothing is left. */
  rotate(): void {
    const port = this.head();
    const servant = this.#servants[port];
    servant.release();
    this.#turns.leave();
    // A port that publishes from here on sets its announce bit again, so off the list is not forgotten.
    if (servant.peek() !== NO_RECORD) this.#turns.join(port);
  }

  servant(port: number): PriServant {
    return this.#servants[port];
  }

  rid(port: number): number {
    return this.#servants[port].rid;
  }

  /** @returns the port of a function that uses the PRG index, or NO_PORT. */
  portOf(rid: number, prgi: number): number {
    const route = this.#routes.get(rid);
    return route === undefined ? NO_PORT : route[prgi & (PRG_INDICES - 1)];
  }

  /** Queues a response for the function's port that uses the PRG index; see {@link PriServant.respond}.
   * @param pasid the PASID, or -1: none.
   * @returns false when no such port is there, or it takes no responses. */
  respond(rid: number, prgi: number, code: number, pasid: number, tick: number): boolean {
    const port = this.portOf(rid, prgi);
    return port !== NO_PORT && this.respondTo(port, prgi, code, pasid, tick);
  }

  /** As {@link respond}, for who knows the port: hardware that answers by itself. */
  respondTo(port: number, prgi: number, code: number, pasid: number, tick: number): boolean {
    this.#markUnsent(port);
    return this.#servants[port].respond(prgi, code, pasid, tick);
  }

  /** Queues an invalidation request for one port; see {@link PriServant.invalidate}. A function's ports each cache for themselves. */
  invalidate(port: number, itag: number, pageLo: number, pageHi: number, sizeLg2: number, pasid: number): boolean {
    this.#markUnsent(port);
    return this.#servants[port].invalidate(itag, pageLo, pageHi, sizeLg2, pasid);
  }

  /** Publishes all that was queued: one store a port. */
  flush(): void {
    for (let i = 0; i < this.#unsentCount; i++) {
      const port = this.#unsent[i];
      this.#isUnsent[port] = 0;
      this.#servants[port].publish();
    }
    this.#unsentCount = 0;
  }

  #markUnsent(port: number): void {
    if (this.#isUnsent[port] === 1) return;
    this.#isUnsent[port] = 1;
    this.#unsent[this.#unsentCount++] = port;
  }

  #route(servant: PriServant, port: number): void {
    const { rid, groupFirst, groupCount } = servant;
    let route = this.#routes.get(rid);
    if (route === undefined) {
      route = new Int32Array(PRG_INDICES).fill(NO_PORT);
      this.#routes.set(rid, route);
    }
    for (let prgi = groupFirst; prgi < groupFirst + groupCount; prgi++) {
      if (route[prgi] !== NO_PORT)
        throw new IommuError(
          'EINVAL',
          'PriPortSet',
          'groupFirst',
          prgi,
          `port ${route[prgi]} of RID ${rid} uses it too`,
        );
      route[prgi] = port;
    }
  }
}
