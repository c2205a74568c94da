import { checkInteger, ERRNO } from '@faultline/core/errors';
import { refcountIncNotZero, refcountPut } from '@faultline/core/sync';
import { NESTED_ATS, NESTED_STE, NESTED_USERS, NESTED_VSMMU, type VirtualArea } from './layout.ts';
import { getVsmmu, putVsmmu } from './vsmmu.ts';
import { checkVste, VSTE_WORDS, withEats } from './vste.ts';

// A nested domain: a guest's stream table entry over the stage 2 of a vSMMU. It holds its vSMMU in place.
//
// Ordering.
//   [P] allocNested: its words, then USERS    pairs with  [C] getNested: USERS, then its words
//   [R] putNested: last use, then USERS       pairs with  [X] freeNested: USERS of the owner alone, then free

const CLAIMED = -1;
const OWNER = 1;

/** Makes a nested domain of the guest's entry, VSTE_WORDS words at `steAt` that the guest cannot change meanwhile.
 * @returns its number, or negative errno: EOPNOTSUPP any flag, EIO the entry (see {@link checkVste}), ENOENT no such vSMMU, ENOSPC.
 * @throws IommuError EINVAL @see Linux arm_vsmmu_alloc_domain_nested() */
export function allocNested(area: VirtualArea, vsmmu: number, flags: number, steAt: number): number {
  checkInteger('allocNested', 'steAt', steAt, 0, area.words.length - VSTE_WORDS);
  if (flags !== 0) return -ERRNO.EOPNOTSUPP;
  const got = getVsmmu(area, 'allocNested', vsmmu);
  if (got !== 0) return got;
  const domain = claim(area, vsmmu, steAt);
  if (domain < 0) putVsmmu(area, vsmmu);
  return domain;
}

function claim(area: VirtualArea, vsmmu: number, steAt: number): number {
  const { words } = area;
  for (let domain = 1; domain <= area.domains; domain++) {
    const at = area.domainAt('allocNested', domain);
    if (Atomics.compareExchange(words, at + NESTED_USERS, 0, CLAIMED) !== 0) continue;
    const { result, ats } = checkVste(words, steAt, at + NESTED_STE);
    if (result === 0) {
      words[at + NESTED_VSMMU] = vsmmu;
      words[at + NESTED_ATS] = ats ? 1 : 0;
    }
    Atomics.store(words, at + NESTED_USERS, result === 0 ? OWNER : 0); // [P]
    return result === 0 ? domain : result;
  }
  return -ERRNO.ENOSPC;
}

/** Frees a nested domain that is attached nowhere. Nobody can still hold it: attaching counts it first.
 * @returns 0, or negative errno: ENOENT no such domain, EBUSY it is attached. @throws IommuError EINVAL */
export function freeNested(area: VirtualArea, domain: number): number {
  const at = area.domainAt('freeNested', domain);
  const vsmmu = area.words[at + NESTED_VSMMU]; // its owner's to read until it is free
  const found = Atomics.compareExchange(area.words, at + NESTED_USERS, OWNER, 0); // [X]
  if (found !== OWNER) return found <= 0 ? -ERRNO.ENOENT : -ERRNO.EBUSY;
  putVsmmu(area, vsmmu);
  return 0;
}

/** The vSMMU of a nested domain. The caller owns the domain, or has counted itself. */
export function nestedVsmmu(area: VirtualArea, domain: number): number {
  return area.words[area.domainAt('nestedVsmmu', domain) + NESTED_VSMMU];
}

/** The guest's entry as it was handed in, VSTE_WORDS words; all zero without V. The caller owns the domain, or has counted itself. */
export function nestedVste(area: VirtualArea, domain: number): readonly number[] {
  const at = area.domainAt('nestedVste', domain);
  return withEats(
    area.words.subarray(at + NESTED_STE, at + NESTED_STE + VSTE_WORDS),
    area.words[at + NESTED_ATS] === 1,
  );
}

/** Counts an attachment. @returns 0, or negative errno ENOENT. @throws IommuError EINVAL */
export function getNested(area: VirtualArea, call: string, domain: number): number {
  return refcountIncNotZero(area.words, area.domainAt(call, domain) + NESTED_USERS) ? 0 : -ERRNO.ENOENT; // [C]
}

export function putNested(area: VirtualArea, domain: number): void {
  refcountPut(area.words, area.domainAt('putNested', domain) + NESTED_USERS); // [R]
}
