import type { Words } from '@faultline/core/sync';
import type { Procedure } from '@faultline/hw/vtd';
import type { AttachedDomains } from './attached.ts';
import { runBlocking } from './blocking.ts';
import type { PagingDomains } from './paging-domains.ts';
import type { Requesters } from './requesters.ts';

export interface InvalidatorParts<Ops> {
  readonly words: Words;
  readonly ops: Ops;
  readonly domains: PagingDomains;
  readonly attached: AttachedDomains;
  readonly devices: Requesters;
  readonly between: (() => void) | undefined;
}

/** Invalidates one domain by commands that a queue takes: whoever may have kept something of it is told, and a sync waits for them. */
export abstract class QueuedInvalidator<Ops> {
  protected readonly parts: InvalidatorParts<Ops>;
  protected readonly domain: number;
  /** Something was told since the last sync. */
  protected isOpen = false;

  constructor(parts: InvalidatorParts<Ops>, domain: number) {
    this.parts = parts;
    this.domain = domain;
  }

  /** From the commands so far to where all are done. */
  protected abstract syncSteps(): Procedure<unknown>;

  sync(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    runBlocking(this.parts.words, this.syncSteps(), this.parts.between);
  }
}
