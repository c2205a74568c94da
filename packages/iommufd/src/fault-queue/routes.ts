import { checkInteger } from '@faultline/core/errors';
import type { IopfSystem } from '@faultline/core/iopf';

/** Routes a domain's groups to fault queue `number`. Before the domain is attached. @throws IommuError EINVAL */
export function routeDomain(system: IopfSystem, routes: number, domain: number, number: number): void {
  system.checkDomain('routeDomain', domain);
  checkInteger('routeDomain', 'number', number, 0, 15);
  Atomics.store(system.words, routes + domain, number + 1);
}

/** Ends a route, once the domain is attached nowhere and a grace period has passed. @throws IommuError EINVAL */
export function unrouteDomain(system: IopfSystem, routes: number, domain: number): void {
  system.checkDomain('unrouteDomain', domain);
  Atomics.store(system.words, routes + domain, 0);
}
