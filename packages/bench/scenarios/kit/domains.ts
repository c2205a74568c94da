// Domains that go, and who may still be at them.
import type { Context } from '@faultline/bench/explore';
import {
  allocDomain,
  DOMAIN_FREE,
  DOMAIN_HANDLER,
  DOMAIN_MM,
  DOMAIN_STATE,
  DOMAIN_WORDS,
  HANDLER_NONE,
  type IopfSystem,
} from '@faultline/core/iopf';

/** The faulty free: takes the caller's word that nobody needs the domain. */
export function freeUnasked(system: IopfSystem, domain: number): void {
  Atomics.store(system.words, system.domainAt(domain) + DOMAIN_STATE, DOMAIN_FREE);
}

/** The entry of a domain that went is another's now: a race with whoever still handles a fault by the one that went. */
export function reuseDomain(system: IopfSystem): void {
  allocDomain(system, { handler: HANDLER_NONE });
}

/** Nobody handles a fault by a domain that is free. STATE and ATTACHED are there for whoever looks. */
export function guardDomains(
  open: (context: Context) => IopfSystem,
): (context: Context) => (word: number) => string | undefined {
  return (context) => {
    const { words, domains, config } = open(context);
    return (word) => {
      const domain = Math.floor((word - domains) / DOMAIN_WORDS);
      if (domain < 1 || domain > config.domains) return undefined;
      const at = domains + domain * DOMAIN_WORDS;
      if (word !== at + DOMAIN_HANDLER && word !== at + DOMAIN_MM) return undefined;
      return Atomics.load(words, at + DOMAIN_STATE) === DOMAIN_FREE ? `domain ${domain} is free` : undefined;
    };
  };
}
