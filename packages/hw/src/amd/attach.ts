import { checkInteger, IommuError } from '@faultline/core/errors';
import type { Words } from '@faultline/core/sync';
import type { FieldValues } from '../record/fields.ts';
import {
  DTE_V,
  DTE_WORDS,
  describeDte,
  encodeDte,
  GLX_RESERVED,
  GUEST_MODE_5_LEVEL,
  gcr3Fields,
  gcr3Page,
} from './dte.ts';

// What an attach writes into a device's table entry.

export type AmdAttach =
  /** Nothing gets through. */
  | { readonly kind: 'blocking' }
  /** Addresses without a PASID go on as they are. */
  | { readonly kind: 'identity'; readonly domain: number }
  /** Host page table (Linux: v1): its root as a page number, its levels 1 to 6. */
  | { readonly kind: 'paging'; readonly domain: number; readonly rootPage: number; readonly levels: number }
  /** Guest page table for requests without a PASID (Linux: v2): that of PASID 0, of 4 or 5 levels. */
  | { readonly kind: 'paging-v2'; readonly domain: number; readonly rootPage: number; readonly levels: number }
  /** A guest's entry (8 words, as the guest wrote them) over a host page table. */
  | {
      readonly kind: 'nested';
      readonly domain: number;
      readonly rootPage: number;
      readonly levels: number;
      readonly guest: Int32Array;
    };

export interface DteExtras {
  /** The device may send page requests. */
  readonly ppr: boolean;
  /** The device has a cache of its own (ATS). */
  readonly iotlb: boolean;
  /** Page number of the GCR3 table by PASID, or -1: no PASIDs. */
  readonly gcr3: number;
}

/** Fields of a device table entry. A blocking one is V alone, to which Linux adds what the IVRS table says of the device; with V clear
 * everything would go through. @throws IommuError EINVAL naming the field
 * @see Linux amd_iommu_make_clear_dte(), blocked_domain_attach_device() */
export function dteFor(attach: AmdAttach, extras: DteExtras): FieldValues {
  if (attach.kind === 'blocking') return { v: 1 };
  const call = 'dteFor';
  checkInteger(call, 'domain', attach.domain, 1, 65535);
  const host = { v: 1, tv: 1, ir: 1, iw: 1, domain: attach.domain, iotlb: extras.iotlb ? 1 : 0 };
  if (attach.kind === 'identity') return { ...host, ...pasids(extras) };
  checkInteger(call, 'rootPage', attach.rootPage, 1, 2 ** 40 - 1);
  if (attach.kind === 'paging-v2') {
    checkInteger(call, 'levels', attach.levels, 4, 5);
    return { ...host, ...pasids(extras), giov: 1, guestMode: attach.levels === 5 ? GUEST_MODE_5_LEVEL : 0 };
  }
  checkInteger(call, 'levels', attach.levels, 1, 6);
  const table = {
    mode: attach.levels,
    rootLo: (attach.rootPage << 12) >>> 0,
    rootHi: Math.floor(attach.rootPage / 2 ** 20),
  };
  if (attach.kind === 'paging') return { ...host, ...table, ...pasids(extras) };
  if (extras.gcr3 !== -1)
    throw new IommuError('EBUSY', call, 'gcr3', extras.gcr3, 'the guest has the PASIDs of a nested device');
  return { ...host, ...table, ...guestFields(attach.guest) };
}

function pasids(extras: DteExtras): FieldValues {
  const ppr = extras.ppr ? 1 : 0;
  return extras.gcr3 === -1 ? { ppr } : { ppr, gv: 1, ...gcr3Fields(extras.gcr3) };
}

/** What a guest's entry contributes: guest translation and the PPR bit. Its other bits are the guest's own affair.
 * @throws IommuError EINVAL host mode or root not 0, GLX 3, a guest level other than 4 or 5, no GCR3 table under V and GV
 * @see Linux drivers/iommu/amd/nested.c */
function guestFields(words: Int32Array): FieldValues {
  const guest = describeDte(words, 0).fields;
  refuse('mode', guest.mode, guest.mode !== 0, 'the host has the host page table');
  refuse(
    'root',
    guest.rootHi || guest.rootLo,
    guest.rootHi !== 0 || guest.rootLo !== 0,
    'the host has the host page table',
  );
  refuse('glx', guest.glx, guest.glx === GLX_RESERVED, 'is reserved');
  refuse('guestMode', guest.guestMode, guest.guestMode > GUEST_MODE_5_LEVEL, 'must be 4 or 5 levels');
  refuse('gcr3', 0, guest.v === 1 && guest.gv === 1 && gcr3Page(guest) === 0, 'must not be 0 with V and GV');
  const { gv, giov, glx, gcr3_14_12, gcr3_30_15, gcr3_51_31, guestMode, ppr } = guest;
  return { gv, giov, glx, gcr3_14_12, gcr3_30_15, gcr3_51_31, guestMode, ppr };
}

function refuse(field: string, value: number, bad: boolean, why: string): void {
  if (bad) throw new IommuError('EINVAL', 'attach', `guest ${field}`, value, why);
}

/** Writes an entry so that the half with V never says more than the other holds: upper half first, lower last with V at the very end; the
 * other way round when V goes. The hardware is told afterwards. @see Linux update_dte256() */
export function storeDte(words: Words, at: number, values: FieldValues): void {
  const dte = new Int32Array(DTE_WORDS);
  encodeDte(dte, 0, values);
  if ((dte[0] & DTE_V) === 0) for (let i = 0; i < DTE_WORDS; i++) Atomics.store(words, at + i, dte[i]);
  else for (let i = DTE_WORDS - 1; i >= 0; i--) Atomics.store(words, at + i, dte[i]);
}

/** Domain ids of a guest and the host's that stand for them: each guest id has a host id of its own as long as somebody uses it.
 * Host ids are taken from `first` to `last`. @see Linux drivers/iommu/amd/nested.c, gdomid to hdomid */
export class NestedDomainIds {
  readonly #free: number[];
  readonly #ids: Map<number, { readonly host: number; users: number }> = new Map();

  /** @throws IommuError EINVAL the range */
  constructor(first: number, last: number) {
    checkInteger('NestedDomainIds', 'first', first, 1, 65535);
    checkInteger('NestedDomainIds', 'last', last, first, 65535);
    this.#free = Array.from({ length: last - first + 1 }, (_, i) => last - i);
  }

  /** @returns the host id of `guest`, a fresh one for its first user. @throws IommuError ENOSPC */
  get(guest: number): number {
    let id = this.#ids.get(guest);
    if (id === undefined) {
      const host = this.#free.pop();
      if (host === undefined) throw new IommuError('ENOSPC', 'NestedDomainIds.get', 'guest', guest, 'no host id left');
      id = { host, users: 0 };
      this.#ids.set(guest, id);
    }
    id.users++;
    return id.host;
  }

  /** @throws IommuError ENOENT an id that nobody has */
  put(guest: number): void {
    const id = this.#ids.get(guest);
    if (id === undefined) throw new IommuError('ENOENT', 'NestedDomainIds.put', 'guest', guest, 'is in use by nobody');
    if (--id.users > 0) return;
    this.#ids.delete(guest);
    this.#free.push(id.host);
  }
}
