// Accesses: drivers of the kernel's own that use an IOAS without a device behind an IOMMU. One pins pages, or reads and writes, and lets go
// when a range is about to be unmapped. @see Linux drivers/iommu/iommufd/device.c iommufd_access_create() and what follows it
import { IommuError } from '@faultline/core/errors';
import { mutexLock, mutexUnlock } from '@faultline/core/sync';
import { PAGE_BYTES } from '../caller/index.ts';
import type { Context } from '../context/context.ts';
import { addAccess, removeAccess } from '../ioas/index.ts';
import { U64_MAX } from '../memory/index.ts';
import {
  ACCESS_ALIGNMENT,
  ACCESS_IOAS,
  ACCESS_KIND,
  ACCESS_LOCK,
  ACCESS_SIDE,
  ACCESS_UNPIN,
} from '../objects/index.ts';
import { OBJ_ACCESS, OBJ_IOAS } from '../uapi/index.ts';

export interface AccessSpec {
  /** Whose it is: what `machine.accessUnmaps` has under this number is told of ranges that go. */
  readonly kind: number;
  /** It pins pages: mappings are then in whole pages. Otherwise it reads and writes only. */
  readonly pins: boolean;
}

/** Makes an access, attached to nothing. It keeps the context. @returns the object, which the user cannot destroy. @throws IommuError ENOMEM */
export function createAccess(context: Context, call: string, { kind, pins }: AccessSpec): number {
  const { objects, words } = context;
  const access = objects.reserve(call, OBJ_ACCESS);
  const at = objects.at(access);
  words[at + ACCESS_KIND] = kind;
  words[at + ACCESS_ALIGNMENT] = pins ? PAGE_BYTES : 1;
  objects.hold(access); // its driver's: the user's DESTROY is EBUSY
  context.hold();
  objects.finalize(access);
  return access;
}

/** Ends an access: what it has pinned is let go of first, by its kind's callback. Its share of the context is the caller's to put. */
export function destroyAccess(context: Context, access: number): void {
  context.machine.blocking(() => {
    withAccess(context, access, () => {
      if (context.words[context.objects.at(access) + ACCESS_IOAS] !== 0) change(context, 'destroy', access, 0);
    });
    context.objects.removeWaiting('destroy', access);
  });
}

/** Attaches an access that is attached to nothing. @throws IommuError EINVAL it is attached, ENOENT ioas_id, EADDRINUSE something is mapped that
 * is no whole page and it pins. */
export function attachAccess(context: Context, call: string, access: number, ioasId: number): void {
  changeTo(context, call, access, ioasId, (at) => {
    if (context.words[at + ACCESS_UNPIN] !== 0)
      throw new IommuError('EINVAL', call, 'access', context.objects.idOf(access), 'is attached');
  });
}

/** Moves an access to another IOAS: it lets go of what it has of the old one. The same one is a success, and nothing.
 * @throws IommuError ENOENT ioas_id, or it is not attached; EBUSY it is leaving an IOAS at this moment; EADDRINUSE: the old one stays then. */
export function replaceAccess(context: Context, call: string, access: number, ioasId: number): void {
  changeTo(context, call, access, ioasId, (at) => {
    if (context.words[at + ACCESS_IOAS] === 0 && context.words[at + ACCESS_UNPIN] === 0)
      throw new IommuError('ENOENT', call, 'access', context.objects.idOf(access), 'is not attached');
  });
}

/** @throws IommuError EINVAL it is not attached, EBUSY it is leaving an IOAS at this moment. */
export function detachAccess(context: Context, call: string, access: number): void {
  context.machine.blocking(() =>
    withAccess(context, access, (at) => {
      if (context.words[at + ACCESS_UNPIN] === 0)
        throw new IommuError('EINVAL', call, 'access', context.objects.idOf(access), 'is not attached');
      change(context, call, access, 0);
    }),
  );
}

function changeTo(
  context: Context,
  call: string,
  access: number,
  ioasId: number,
  check: (accessAt: number) => void,
): void {
  const { machine, objects } = context;
  machine.blocking(() =>
    withAccess(context, access, (at) => {
      check(at);
      const ioas = objects.get(call, 'ioas_id', ioasId, OBJ_IOAS);
      try {
        change(context, call, access, ioas);
      } finally {
        objects.put(ioas);
      }
    }),
  );
}

/** From one IOAS to another, either 0 for none. In between it is in both, and pins nothing new. Context: the access's lock, which is let go
 * of while the access unpins. */
function change(context: Context, call: string, access: number, ioas: number): void {
  const { machine, objects, words } = context;
  const at = objects.at(access);
  const old = words[at + ACCESS_IOAS];
  if (old !== words[at + ACCESS_UNPIN])
    throw new IommuError('EBUSY', call, 'access', objects.idOf(access), 'is leaving an IOAS at this moment');
  if (old === ioas) return;
  const side = words[at + ACCESS_SIDE];
  words[at + ACCESS_IOAS] = 0;
  if (ioas !== 0) {
    try {
      addAccess(context, ioas, access, 1 - side);
    } catch (error) {
      words[at + ACCESS_IOAS] = old;
      throw error;
    }
    objects.hold(ioas);
  }
  if (old !== 0) {
    unlocked(context, at, () => machine.accessUnmaps.get(words[at + ACCESS_KIND])?.(context, access, 0n, U64_MAX));
    removeAccess(context, old, access, side);
    objects.release(old);
  }
  words[at + ACCESS_IOAS] = ioas;
  words[at + ACCESS_UNPIN] = ioas;
  words[at + ACCESS_SIDE] = 1 - side;
}

/** Runs `body` with an access's lock. */
export function withAccess<T>({ machine, objects, words }: Context, access: number, body: (at: number) => T): T {
  const at = objects.at(access);
  mutexLock(words, at + ACCESS_LOCK, machine.self);
  try {
    return body(at);
  } finally {
    mutexUnlock(words, at + ACCESS_LOCK, machine.self);
  }
}

function unlocked({ machine, words }: Context, at: number, body: () => void): void {
  mutexUnlock(words, at + ACCESS_LOCK, machine.self);
  try {
    body();
  } finally {
    mutexLock(words, at + ACCESS_LOCK, machine.self);
  }
}

/** Destroyer: it is attached to nothing. */
export function endAccess(_context: Context, _at: number): void {}
