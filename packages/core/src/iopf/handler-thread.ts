import type { FaultPath } from './generations/index.ts';
import { DOMAIN_HANDLER, DOMAIN_MM, HANDLER_NOOP, HANDLER_SVA } from './layout.ts';
import type { AddressSpace } from './mm.ts';
import type { IommuOps } from './ops.ts';
import { RESPONSE_FAILURE, RESPONSE_INVALID, RESPONSE_SUCCESS, type ResponseCode } from './record.ts';
import { handleSvaGroup } from './sva.ts';
import type { IopfSystem } from './system.ts';
import type { ActiveLimit, WorkSource } from './work-queue.ts';

const ACTIVE_WAIT_MS = 100;

/** What a worker needs of a fault path. */
export type HandlerPath = Pick<FaultPath, 'groupDomain' | 'respondGroup' | 'freeGroup' | 'endBatch' | 'leasesPages'>;

export interface HandlerParts {
  readonly system: IopfSystem;
  readonly path: HandlerPath;
  readonly ops: IommuOps;
  readonly work: WorkSource;
  /** Absent: as many workers may be active as there are. */
  readonly limit?: ActiveLimit | undefined;
  /** Address spaces by number, from 1. */
  readonly mms: readonly (AddressSpace | undefined)[];
}

/** One worker of the work queue: takes groups, has their domain handle them, answers, frees. */
export class HandlerThread {
  readonly #system: IopfSystem;
  readonly #path: HandlerPath;
  readonly #ops: IommuOps;
  readonly #work: WorkSource;
  readonly #limit: ActiveLimit | undefined;
  readonly #mms: readonly (AddressSpace | undefined)[];

  constructor(parts: HandlerParts) {
    this.#system = parts.system;
    this.#path = parts.path;
    this.#ops = parts.ops;
    this.#work = parts.work;
    this.#limit = parts.limit;
    this.#mms = parts.mms;
  }

  /** Handles what waits, a batch at most. @returns groups handled. The thread is online meanwhile, and quiescent after it. */
  step(): number {
    if (this.#limit !== undefined && !this.#limit.enter(ACTIVE_WAIT_MS)) {
      this.#system.reader.quiescent();
      return 0;
    }
    const taken = this.#work.take();
    if (taken !== 0) this.#handleBatch(taken);
    if (this.#limit !== undefined) this.#limit.leave();
    if (taken === 0) this.#system.reader.quiescent();
    return taken;
  }

  #handleBatch(taken: number): void {
    const { batch } = this.#work;
    for (let i = 0; i < taken; i++) this.#path.respondGroup(batch[i], this.#handle(batch[i]));
    // Answers are out before their groups go: a domain whose count is zero has nothing left to tell its devices.
    this.#ops.flushResponses();
    for (let i = 0; i < taken; i++) this.#path.freeGroup(batch[i]);
    this.#path.endBatch();
  }

  #handle(group: number): ResponseCode {
    const domain = this.#path.groupDomain(group);
    if (domain === 0) return RESPONSE_INVALID;
    const at = this.#system.domainAt(domain);
    const handler = this.#system.words[at + DOMAIN_HANDLER];
    if (handler === HANDLER_NOOP) return RESPONSE_SUCCESS;
    if (handler !== HANDLER_SVA) return RESPONSE_INVALID;
    const mm = this.#mms[this.#system.words[at + DOMAIN_MM]];
    return mm === undefined ? RESPONSE_FAILURE : handleSvaGroup(this.#system, group, mm, this.#path.leasesPages);
  }

  /** Sleeps until groups are published, offline meanwhile. */
  park(timeoutMs: number): void {
    this.#system.deferredParams.poll(); // what this thread's last puts left to free
    this.#system.reader.offline();
    this.#work.park(timeoutMs);
    this.#system.reader.online();
  }
}
