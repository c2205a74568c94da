import { checkInteger, IommuError } from '../errors/index.ts';
import type { Arena, RegionSpec } from '../memory/index.ts';
import { initRcu, rcuWords } from '../sync/index.ts';
import { initMailbox, mailboxWords } from './mailbox.ts';

/** More than a machine would bear; bounds a slip of the pen. */
export const MAX_HOSTS = 4096;

/** The RCU domain of a system: hosts pass their quiescent states in it, and so may other threads. */
export const RCU_REGION = 'actor.rcu';

/** Name of a mailbox's region. Hosts count from 1; 0 is the main thread's. */
export function mailboxRegion(host: number): string {
  return `actor.mailbox.${host}`;
}

/** Base of the doorbell that a host sleeps on, for threads that give one of its pumps work. @throws IommuError ENOENT */
export function hostDoorbellBase(arena: Arena, host: number): number {
  return arena.base(mailboxRegion(host));
}

/** The regions that an actor system of `hosts` hosts needs, for planArena.
 * @param mailboxEntries events that each mailbox holds, a power of two.
 * @param threads the highest thread id (ThreadSelf.id) that takes part in RCU. Default: one a host.
 * @throws IommuError EINVAL */
export function actorRegions(hosts: number, mailboxEntries: number, threads: number = hosts): RegionSpec[] {
  checkInteger('actorRegions', 'hosts', hosts, 1, MAX_HOSTS);
  checkInteger('actorRegions', 'threads', threads, hosts, 65535);
  const words = mailboxWords(mailboxEntries);
  const regions: RegionSpec[] = [{ name: RCU_REGION, words: rcuWords(threads) }];
  for (let host = 0; host <= hosts; host++) regions.push({ name: mailboxRegion(host), words });
  return regions;
}

/** Lays the regions out, once, before the arena is shared. Takes what {@link actorRegions} took.
 * @throws IommuError ENOENT a region is missing; EINVAL one was planned for other figures */
export function initActorRegions(arena: Arena, hosts: number, mailboxEntries: number, threads: number = hosts): void {
  for (const { name, words } of actorRegions(hosts, mailboxEntries, threads)) {
    if (arena.sizeWords(name) !== words)
      throw new IommuError('EINVAL', 'initActorRegions', name, arena.sizeWords(name), `must have ${words} words`);
  }
  initRcu(arena.words, arena.base(RCU_REGION), threads);
  for (let host = 0; host <= hosts; host++) initMailbox(arena.words, arena.base(mailboxRegion(host)), mailboxEntries);
}
