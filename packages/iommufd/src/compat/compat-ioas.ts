// The IOAS that legacy VFIO calls mean, which have no id: one a context. @see Linux drivers/iommu/iommufd/vfio_compat.c
import { IommuError } from '@faultline/core/errors';
import { mutexLock, mutexUnlock } from '@faultline/core/sync';
import type { Command, Context } from '../context/index.ts';
import { abortIoas, makeIoas } from '../ioas/alloc.ts';
import { Ioas } from '../ioas/index.ts';
import { CONTEXT_COMPAT_IOAS, CONTEXT_LOCK } from '../machine/layout.ts';
import { OBJ_IOAS, VFIO_IOAS, VFIO_IOAS_CLEAR, VFIO_IOAS_GET, VFIO_IOAS_SET } from '../uapi/index.ts';

/** Asks for, sets or clears it. */
export const vfioIoas: Command<typeof VFIO_IOAS> = {
  struct: VFIO_IOAS,
  respondsItself: true, // only what is asked for is written back
  run(context, { args, respond }) {
    const call = 'VFIO_IOAS';
    const { objects } = context;
    if (args.op === VFIO_IOAS_GET) {
      const object = getCompatIoas(context, call);
      args.ioasId = objects.idOf(object);
      objects.put(object);
      respond();
    } else if (args.op === VFIO_IOAS_SET) {
      const object = objects.get(call, 'ioas_id', args.ioasId, OBJ_IOAS);
      setCompatIoas(context, object);
      objects.put(object);
    } else if (args.op === VFIO_IOAS_CLEAR) setCompatIoas(context, 0);
    else throw new IommuError('EOPNOTSUPP', call, 'op', args.op, 'is not known');
  },
};

/** Runs `body` with the compat IOAS. @throws IommuError ENODEV there is none. */
export function withCompatIoas<T>(context: Context, call: string, body: (ioas: Ioas) => T): T {
  const object = getCompatIoas(context, call);
  try {
    return body(new Ioas(context, object));
  } finally {
    context.objects.put(object);
  }
}

/** The compat IOAS's id; the first call makes one: what attaching a group through the legacy interface does.
 * @throws IommuError ENOMEM */
export function compatIoasId(context: Context): number {
  const { objects, words, at } = context;
  const fresh = makeIoas(context, 'compatIoasId');
  const id = withContextLock(context, () => {
    const present = words[at + CONTEXT_COMPAT_IOAS];
    if (present !== 0) return objects.idOf(present);
    words[at + CONTEXT_COMPAT_IOAS] = fresh;
    return objects.finalize(fresh);
  });
  if (id !== objects.idOf(fresh)) abortIoas(context, fresh);
  return id;
}

/** An IOAS ends: it is no compat IOAS any more. Before its row goes. */
export function forgetCompatIoas(context: Context, object: number): void {
  const { words, at } = context;
  withContextLock(context, () => {
    if (words[at + CONTEXT_COMPAT_IOAS] === object) words[at + CONTEXT_COMPAT_IOAS] = 0;
  });
}

function setCompatIoas(context: Context, object: number): void {
  withContextLock(context, () => {
    context.words[context.at + CONTEXT_COMPAT_IOAS] = object;
  });
}

/** @returns the object, held for a call. Its row stays what it is while the lock is held, as {@link forgetCompatIoas} takes it too. */
function getCompatIoas(context: Context, call: string): number {
  const { objects, words, at } = context;
  return withContextLock(context, () => {
    const object = words[at + CONTEXT_COMPAT_IOAS];
    const held = object === 0 ? 0 : objects.tryGet(objects.idOf(object), [OBJ_IOAS]);
    if (held === object && held !== 0) return held;
    if (held !== 0) objects.put(held); // it is being destroyed, and its id is another's already
    throw new IommuError('ENODEV', call, 'ioas', 0, 'the context has no compat IOAS');
  });
}

function withContextLock<T>({ words, at, machine }: Context, body: () => T): T {
  mutexLock(words, at + CONTEXT_LOCK, machine.self);
  try {
    return body();
  } finally {
    mutexUnlock(words, at + CONTEXT_LOCK, machine.self);
  }
}
