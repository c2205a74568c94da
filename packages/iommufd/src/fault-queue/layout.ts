import { checkInteger, IommuError } from '@faultline/core/errors';
import { alignLine } from '@faultline/core/memory';
import { initMpmc, mpmcWords } from '@faultline/core/ring';
import { LINE, type Words } from '@faultline/core/sync';

// Fault queue: groups on their way to user space, and the cookies of those that are there. Offsets in words, from its base.
//
//   name      offset   writer        meaning
//   NUMBER    0        init          which of the system's fault queues: bits of each of its cookies
//   GROUPS    1        init          groups that can exist at once; 0: nothing was laid out here
//   COOKIES   2        init          offset of the cookies' slots (cookie-table.ts)
//   LOCK      LINE     all readers   mutex: the ring's read end, and which groups of it are delivered or answered automatically
//   WAKE      2 LINE   reporters     changed by each publish that finds sleepers
//   SLEEPERS  +1       sleepers      how many may be asleep on WAKE
//   RING      3 LINE   ring/mpmc.ts  groups reported and not yet delivered, by slab index, or GONE
export const QUEUE_NUMBER = 0;
export const QUEUE_GROUPS = 1;
export const QUEUE_COOKIES = 2;
export const QUEUE_LOCK: number = LINE;
export const QUEUE_WAKE: number = 2 * LINE;
export const QUEUE_SLEEPERS: number = QUEUE_WAKE + 1;
export const QUEUE_RING: number = 3 * LINE;

/** In the place of a group that was answered automatically, and is freed. */
export const GONE: number = 2 ** 31 - 1;

/** Bits of a cookie that name its queue. */
export const NUMBER_BITS = 4;

export interface FaultQueueConfig {
  /** 0 to 15, another one for each queue of a system: a cookie of one queue is none of another's. */
  readonly number: number;
  /** Groups that may wait for a reader, a power of two. The report answers Failure to what finds it full. */
  readonly entries: number;
  /** Groups that can exist at once: the system's `requests`. There is always a cookie for each. */
  readonly groups: number;
}

/** Words of a fault queue. @throws IommuError EINVAL naming the field. */
export function faultQueueWords(config: FaultQueueConfig): number {
  checkInteger('faultQueueWords', 'number', config.number, 0, (1 << NUMBER_BITS) - 1);
  checkInteger('faultQueueWords', 'groups', config.groups, 1, 65535);
  return QUEUE_RING + mpmcWords(config.entries) + alignLine(config.groups + 1);
}

/** Lays an empty fault queue out, before it is shared. @throws IommuError EINVAL as {@link faultQueueWords}, or when it does not fit. */
export function initFaultQueue(words: Words, base: number, config: FaultQueueConfig): void {
  const size = faultQueueWords(config);
  checkInteger('initFaultQueue', 'base', base, LINE, words.length - size);
  words.fill(0, base, base + size);
  const cookies = QUEUE_RING + mpmcWords(config.entries);
  words[base + QUEUE_NUMBER] = config.number;
  words[base + QUEUE_GROUPS] = config.groups;
  words[base + QUEUE_COOKIES] = cookies;
  initMpmc(words, base + QUEUE_RING, config.entries);
}

/** Where a domain's groups go: a word a domain, the queue's number + 1, 0: not to a fault queue. Set before the domain is attached, so that
 * whoever finds its attach handle finds its route. */
export function faultRoutesWords(domains: number): number {
  return alignLine(domains + 1);
}

/** @throws IommuError EINVAL where no fault queue was laid out. */
export function checkFaultQueue(call: string, words: Words, base: number): void {
  checkInteger(call, 'base', base, LINE, words.length - QUEUE_RING);
  if (words[base + QUEUE_GROUPS] === 0)
    throw new IommuError('EINVAL', call, 'base', base, 'no fault queue was laid out here');
}
