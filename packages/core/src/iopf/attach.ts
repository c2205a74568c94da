import { checkInteger, IommuError } from '../errors/index.ts';
import { mutexLock, mutexUnlock } from '../sync/index.ts';
import { getDomain, putDomain } from './domain.ts';
import {
  DEVICE_ATTACH_LOCK,
  DEVICE_GROUP_MUTEX,
  HANDLE_DEVICE,
  HANDLE_DOMAIN,
  HANDLE_PASID,
  HANDLE_WORDS,
} from './layout.ts';
import type { IopfSystem } from './system.ts';

// Attach, replace and detach exclude one another by the device's group mutex. A handle is stored last, when nothing can fail
// any more, so that no report sees an attachment that is taken back. A handle that leaves the array is freed after a grace
// period: a report uses it inside one read section only. Lock order: group mutex, then attach lock.

/** @returns what stood in the array before. Context: group mutex. The attach lock is for generations that look up under it.
 * @throws IommuError ENOMEM the array has no room for the PASID: nothing was changed */
function exchangeHandle(system: IopfSystem, device: number, pasid: number, handle: number): number {
  const lock = system.deviceAt(device) + DEVICE_ATTACH_LOCK;
  mutexLock(system.words, lock, system.self);
  try {
    const array = system.attachArray(device);
    return handle === 0 ? array.erase(pasid) : array.store(pasid, handle);
  } finally {
    mutexUnlock(system.words, lock, system.self);
  }
}

/** Makes a handle for the domain and stores it: reserve, count, publish. Whatever refuses, what came before it is taken back.
 * @returns the handle, and the one that it replaced, 0 for none. */
function installHandle(
  system: IopfSystem,
  call: string,
  device: number,
  pasid: number,
  domain: number,
): { readonly handle: number; readonly old: number } {
  const handle = system.handleCache.alloc();
  if (handle === 0) throw new IommuError('ENOMEM', call, 'device', device, 'no attach handle left');
  const at = system.handles.objects + handle * HANDLE_WORDS;
  let counted = false;
  try {
    getDomain(system, call, domain);
    counted = true;
    system.words[at + HANDLE_DOMAIN] = domain;
    system.words[at + HANDLE_DEVICE] = device;
    system.words[at + HANDLE_PASID] = pasid;
    return { handle, old: exchangeHandle(system, device, pasid, handle) };
  } catch (error) {
    if (counted) putDomain(system, domain);
    system.handleCache.free(handle); // it was never in the array: nobody has seen it
    throw error;
  }
}

function dropHandle(system: IopfSystem, handle: number): void {
  putDomain(system, system.words[system.handles.objects + handle * HANDLE_WORDS + HANDLE_DOMAIN]);
  system.handleCache.retire(handle);
  system.deferredHandles.defer(handle);
}

function withGroupMutex<T>(system: IopfSystem, call: string, device: number, pasid: number, body: () => T): T {
  system.checkDevice(call, device);
  checkInteger(call, 'pasid', pasid, 0, (1 << 20) - 1);
  const lock = system.deviceAt(device) + DEVICE_GROUP_MUTEX;
  mutexLock(system.words, lock, system.self);
  try {
    return body();
  } finally {
    mutexUnlock(system.words, lock, system.self);
  }
}

/** Attaches a domain to the device at a PASID, 0 for none. @returns the attach handle.
 * @throws IommuError EBUSY something is attached there, ENOENT no such domain, ENOMEM */
export function attachDomain(system: IopfSystem, device: number, pasid: number, domain: number): number {
  return withGroupMutex(system, 'attachDomain', device, pasid, () => {
    const present = system.attachArray(device).load(pasid);
    if (present !== 0) throw new IommuError('EBUSY', 'attachDomain', 'pasid', pasid, 'a domain is attached there');
    return installHandle(system, 'attachDomain', device, pasid, domain).handle;
  });
}

/** Attaches another domain in place of the present one. @returns the domain that was replaced.
 * @throws IommuError ENOENT nothing is attached there or no such domain, ENOMEM */
export function replaceDomain(system: IopfSystem, device: number, pasid: number, domain: number): number {
  return withGroupMutex(system, 'replaceDomain', device, pasid, () => {
    const present = system.attachArray(device).load(pasid);
    if (present === 0) throw new IommuError('ENOENT', 'replaceDomain', 'pasid', pasid, 'nothing is attached there');
    const { old } = installHandle(system, 'replaceDomain', device, pasid, domain);
    const oldDomain = system.words[system.handles.objects + old * HANDLE_WORDS + HANDLE_DOMAIN];
    dropHandle(system, old);
    return oldDomain;
  });
}

/** Detaches what is attached. Reports that start later find nothing. @returns the domain.
 * @throws IommuError ENOENT nothing is attached there */
export function detachDomain(system: IopfSystem, device: number, pasid: number): number {
  return withGroupMutex(system, 'detachDomain', device, pasid, () => {
    if (system.attachArray(device).load(pasid) === 0)
      throw new IommuError('ENOENT', 'detachDomain', 'pasid', pasid, 'nothing is attached there');
    const handle = exchangeHandle(system, device, pasid, 0);
    const domain = system.words[system.handles.objects + handle * HANDLE_WORDS + HANDLE_DOMAIN];
    dropHandle(system, handle);
    return domain;
  });
}
