import { IommuError } from '../errors/index.ts';
import {
  DOMAIN_ATTACHED,
  DOMAIN_DYING,
  DOMAIN_FREE,
  DOMAIN_HANDLER,
  DOMAIN_LIVE,
  DOMAIN_MM,
  DOMAIN_STATE,
  HANDLER_CONSUMER,
  HANDLER_NONE,
} from './layout.ts';
import type { IopfSystem } from './system.ts';

export interface DomainSpec {
  /** HANDLER_*: who handles its faults. HANDLER_NONE: a domain that cannot fault. */
  readonly handler: number;
  /** The address space's number, for HANDLER_SVA. */
  readonly mm?: number;
}

/** Allocates a domain: one compare-exchange claims its table entry. @throws IommuError EINVAL, ENOSPC */
export function allocDomain(system: IopfSystem, spec: DomainSpec): number {
  if (spec.handler < HANDLER_NONE || spec.handler > HANDLER_CONSUMER)
    throw new IommuError('EINVAL', 'allocDomain', 'handler', spec.handler, 'no such handler');
  const { words, config } = system;
  for (let domain = 1; domain <= config.domains; domain++) {
    const at = system.domainAt(domain);
    if (Atomics.compareExchange(words, at + DOMAIN_STATE, DOMAIN_FREE, DOMAIN_DYING) !== DOMAIN_FREE) continue;
    words[at + DOMAIN_HANDLER] = spec.handler;
    words[at + DOMAIN_MM] = spec.mm ?? 0;
    Atomics.store(words, at + DOMAIN_STATE, DOMAIN_LIVE); // publishes the two words to attachDomain's load
    return domain;
  }
  throw new IommuError('ENOSPC', 'allocDomain', 'domains', config.domains, 'every domain is in use');
}

/** Frees a domain that is attached nowhere, after a grace period, with no fault pending. The caller has waited for both
 * (`rcu.synchronizeAsync()`, then `pending.waitZeroAsync(domain)`): nobody can have found it since.
 * @throws IommuError EBUSY attached or faults pending, ENOENT not a live domain */
export function freeDomain(system: IopfSystem, domain: number): void {
  const { words } = system;
  const at = system.domainAt(system.checkDomain('freeDomain', domain));
  if (Atomics.compareExchange(words, at + DOMAIN_STATE, DOMAIN_LIVE, DOMAIN_DYING) !== DOMAIN_LIVE)
    throw new IommuError('ENOENT', 'freeDomain', 'domain', domain, 'no such domain');
  const attached = Atomics.load(words, at + DOMAIN_ATTACHED);
  const pending = system.pending.read(domain);
  if (attached !== 0 || pending !== 0) {
    Atomics.store(words, at + DOMAIN_STATE, DOMAIN_LIVE);
    const why = attached !== 0 ? `still attached ${attached} times` : `${pending} faults pending`;
    throw new IommuError('EBUSY', 'freeDomain', 'domain', domain, why);
  }
  Atomics.store(words, at + DOMAIN_STATE, DOMAIN_FREE);
}

/** Counts one attachment. Counted first, looked at after: freeDomain does the two the other way round, so that of an attach and
 * a free at once one sees the other. @throws IommuError ENOENT unless the domain lives. */
export function getDomain(system: IopfSystem, call: string, domain: number): void {
  const at = system.domainAt(system.checkDomain(call, domain));
  Atomics.add(system.words, at + DOMAIN_ATTACHED, 1);
  if (Atomics.load(system.words, at + DOMAIN_STATE) === DOMAIN_LIVE) return;
  Atomics.sub(system.words, at + DOMAIN_ATTACHED, 1);
  throw new IommuError('ENOENT', call, 'domain', domain, 'no such domain');
}

export function putDomain(system: IopfSystem, domain: number): void {
  Atomics.sub(system.words, system.domainAt(domain) + DOMAIN_ATTACHED, 1);
}
