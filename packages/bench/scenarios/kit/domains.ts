// Domains that go, and who may still be at them.
import type { Context } from '@faultline/bench/explore';
import {
  DOMAIN_FREE,
  DOMAIN_HANDLER,
  DOMAIN_MM,
  DOMAIN_STATE,
  DOMAIN_WORDS,
  type IopfSystem,
} from '@faultline/core/iopf';

/** The faulty free: takes the caller's word that nobody needs the domain. */
export function freeUnasked(system: IopfSystem, domain: number): void {
  Atomics.store(system.words, system.domainAt(domain) + DOMAIN_STATE, DOMAIN_FREE);
}

/** Nobody handles a fault by a domain that is free. STATE and ATTACHED are there for whoever looks. */
export function guardDomains(
  open: (context: Context) => IopfSystem,
): (context: Context) => (word: number) => string | undefined {
  return (context) => {
    const { domains, config } = open(context);
    return (word) => {
      const domain = Math.floor((word - domains) / DOMAIN_WORDS);
      const at = domains + domain * DOMAIN_WORDS;
      if (domain < 1 || domain > config.domains) return undefined;
      if (word !== at + DOMAIN_HANDLER && word !== at + DOMAIN_MM) return undefined;
      return Atomics.load(context.words, at + DOMAIN_STATE) === DOMAIN_FREE ? `domain ${domain} is free` : undefined;
    };
  };
}
