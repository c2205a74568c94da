import type { Words } from '@faultline/core/sync';
import type { DeviceMemory } from '../accelerator/device-thread.ts';
import { NO_TAG, packTranslation, translationPerm } from './atc.ts';
import type { Endpoint } from './endpoint.ts';
import { EP_HITS, EP_STALE, EP_TRANSLATIONS } from './endpoint-stats.ts';

/** What answers a function's translation requests: the IOMMU's walk of the tables for its RID and the PASID. */
export interface TranslationAgent {
  /** @param perm what the access needs, FAULT_PERM_*. @param pasid or -1.
   * @returns what is granted, for how many pages (packTranslation); 0: nothing. */
  translate(pageLo: number, pageHi: number, perm: number, pasid: number): number;
}

/** An address space as an agent that grants what is asked for, page by page. */
export function pageAgent(memory: Pick<DeviceMemory, 'translate'>): TranslationAgent {
  return { translate: (lo, hi, perm) => (memory.translate(lo, hi, perm) ? packTranslation(perm, 0) : 0) };
}

/** An address space as a device thread sees it through an endpoint: cached translations first, then the agent's. */
export class EndpointMemory implements DeviceMemory {
  readonly #words: Words;
  readonly #endpoint: Endpoint;
  readonly #agent: TranslationAgent;
  readonly #pasid: number;
  readonly #memory: Pick<DeviceMemory, 'discard'>;

  /** @param memory whose pages {@link discard} discards: what the device's own process does, not the device.
   * Its notifier waits for this very endpoint to drop its translations: it must pump it while it waits. */
  constructor(
    words: Words,
    endpoint: Endpoint,
    agent: TranslationAgent,
    pasid: number,
    memory: Pick<DeviceMemory, 'discard'>,
  ) {
    this.#words = words;
    this.#endpoint = endpoint;
    this.#agent = agent;
    this.#pasid = pasid;
    this.#memory = memory;
  }

  translate(pageLo: number, pageHi: number, perm: number): boolean {
    const endpoint = this.#endpoint;
    endpoint.poll(); // an invalidation that has come is taken before what it is about is used
    if (!endpoint.isAtsEnabled())
      return (translationPerm(this.#agent.translate(pageLo, pageHi, perm, this.#pasid)) & perm) === perm;
    const atc = endpoint.atc;
    if (atc.lookup(pageLo, pageHi, this.#pasid, perm)) {
      this.#words[endpoint.statsAt + EP_HITS]++;
      return true;
    }
    return this.#ask(pageLo, pageHi, perm);
  }

  discard(startPage: number, pages: number): number {
    return this.#memory.discard(startPage, pages);
  }

  #ask(pageLo: number, pageHi: number, perm: number): boolean {
    const { atc, statsAt } = this.#endpoint;
    for (;;) {
      const tag = atc.begin(pageLo, pageHi, this.#pasid);
      if (tag === NO_TAG) return false; // asked again with the next access
      const answer = this.#agent.translate(pageLo, pageHi, perm, this.#pasid);
      this.#words[statsAt + EP_TRANSLATIONS]++;
      if (atc.complete(tag, answer)) return (translationPerm(answer) & perm) === perm;
      this.#words[statsAt + EP_STALE]++;
    }
  }
}
