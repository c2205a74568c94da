import type { Words } from '@faultline/core/sync';
import {
  REQUEST_INVALIDATED,
  RESPONSE_CODE,
  RESPONSE_FLAGS,
  RESPONSE_INVALIDATE,
  RESPONSE_PAGE_HI,
  RESPONSE_PAGE_LO,
  RESPONSE_PASID,
  RESPONSE_PASID_VALID,
  RESPONSE_PRGI,
} from '../pcie/pri-port.layout.ts';
import { NO_RECORD, type PriRequester } from '../pcie/pri-port.ts';

/** What a port's endpoint got. */
export interface Received {
  readonly prgi: number;
  readonly code: number;
  /** Or -1. */
  readonly pasid: number;
  /** An invalidation request; `prgi` is its ITAG, `code` its size. */
  readonly invalidate?: true;
  readonly page?: number;
}

/** Takes what the port's endpoint has been sent since the last time. */
export function takeReceived(words: Words, port: PriRequester): Received[] {
  const list: Received[] = [];
  for (let at = port.peek(); at !== NO_RECORD; at = port.peek()) {
    const flags = words[at + RESPONSE_FLAGS];
    const pasid = (flags & RESPONSE_PASID_VALID) !== 0 ? words[at + RESPONSE_PASID] : -1;
    const record = { prgi: words[at + RESPONSE_PRGI], code: words[at + RESPONSE_CODE], pasid };
    const page = (words[at + RESPONSE_PAGE_LO] >>> 0) + words[at + RESPONSE_PAGE_HI] * 2 ** 32;
    list.push((flags & RESPONSE_INVALIDATE) !== 0 ? { ...record, invalidate: true, page } : record);
    port.next();
  }
  port.release();
  return list;
}

/** Sends the completion of an invalidation. */
export function completeInvalidation(port: PriRequester, itag: number, tick: number): void {
  port.post(0, 0, REQUEST_INVALIDATED, 0, itag, tick);
  port.publish();
}
