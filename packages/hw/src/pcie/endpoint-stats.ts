import { checkRegion } from '@faultline/core/memory';
import { LINE, type Words } from '@faultline/core/sync';

/** What an endpoint has done, u32, one writer: its thread. Plain words: whoever reads meanwhile sees some recent count. */
export const ENDPOINT_STATS = [
  'requests', // page requests sent
  'groups', // page request groups sent, up to their last page (whether or not its flag was sent)
  'stopMarkers', // stop markers sent
  'succeeded', // groups answered Success
  'invalid', // groups answered Invalid Request
  'failures', // Response Failures, and unused codes: each disabled the interface
  'ignored', // responses that came while the interface was disabled by a failure
  'unexpected', // responses that matched no outstanding group: UPRGI
  'wrongPasid', // of these, for want of the PASID, or with another one
  'early', // of these, for a group whose last page was not sent
  'refused', // accesses that could not be requested: ATS or PRI off, interface failed, no credits
  'dropped', // accesses given up: by a failure, a reset, or abandon()
  'resets', // resets taken
  'invalidations', // invalidation requests completed
  'hits', // translations found in the cache
  'translations', // translations asked for
  'stale', // of these, answers thrown away for an invalidation in between
  'lost', // responses that the switch responseLost took away
  'duplicated', // responses that the switch responseDuplicated delivered twice
  'reused', // groups that the switch groupIndexReused gave a used index
  'doubled', // last requests that the switch lastPageDoubled sent twice
  'stormed', // groups sent by the switch storm; counted in `groups` and `requests` as well
  'peakOutstanding', // most requests outstanding
] as const;
export type EndpointStat = (typeof ENDPOINT_STATS)[number];

export const EP_REQUESTS = 0;
export const EP_GROUPS = 1;
export const EP_STOP_MARKERS = 2;
export const EP_SUCCEEDED = 3;
export const EP_INVALID = 4;
export const EP_FAILURES = 5;
export const EP_IGNORED = 6;
export const EP_UNEXPECTED = 7;
export const EP_WRONG_PASID = 8;
export const EP_EARLY = 9;
export const EP_REFUSED = 10;
export const EP_DROPPED = 11;
export const EP_RESETS = 12;
export const EP_INVALIDATIONS = 13;
export const EP_HITS = 14;
export const EP_TRANSLATIONS = 15;
export const EP_STALE = 16;
export const EP_LOST = 17;
export const EP_DUPLICATED = 18;
export const EP_REUSED = 19;
export const EP_DOUBLED = 20;
export const EP_STORMED = 21;
export const EP_PEAK = 22;

/** Words of one endpoint's statistics. */
export function endpointStatWords(): number {
  return LINE;
}

/** @throws IommuError EINVAL base */
export function initEndpointStats(words: Words, base: number): void {
  checkRegion('initEndpointStats', words, base, LINE);
  words.fill(0, base, base + LINE);
}

export function readEndpointStats(words: Words, base: number): Record<EndpointStat, number> {
  return Object.fromEntries(ENDPOINT_STATS.map((name, at) => [name, words[base + at] >>> 0])) as Record<
    EndpointStat,
    number
  >;
}
