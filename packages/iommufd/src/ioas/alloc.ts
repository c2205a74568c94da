// IOAS_ALLOC, and an IOAS's end. @see Linux drivers/iommu/iommufd/ioas.c

import { IommuError } from '@faultline/core/errors';
import { initRwlock } from '@faultline/core/sync';
import { forgetCompatIoas } from '../compat/compat-ioas.ts';
import type { Command, Context } from '../context/index.ts';
import { IOAS_BODY } from '../objects/index.ts';
import { IOAS_ALLOC, OBJ_IOAS } from '../uapi/index.ts';
import { IOAS_ALIGNMENT, IOAS_ALLOWED, IOAS_DOMAINS, IOAS_IOVA, IOAS_RESERVED } from './layout.ts';
import { removeRanges } from './ranges.ts';
import { Ioas } from './tables.ts';
import { unmapAll } from './unmap.ts';

export const ioasAlloc: Command<typeof IOAS_ALLOC> = {
  struct: IOAS_ALLOC,
  run(context, { args, respond }) {
    if (args.flags !== 0) throw new IommuError('EOPNOTSUPP', 'IOAS_ALLOC', 'flags', args.flags, 'must be 0');
    const object = makeIoas(context, 'IOAS_ALLOC');
    try {
      args.outIoasId = context.objects.idOf(object);
      respond();
    } catch (error) {
      abortIoas(context, object);
      throw error;
    }
    context.objects.finalize(object);
  },
};

/** @returns a reserved object: its caller finalizes it. @throws IommuError ENOMEM */
export function makeIoas(context: Context, call: string): number {
  const { machine, objects, words } = context;
  const object = objects.reserve(call, OBJ_IOAS);
  try {
    const body = machine.pools.ioas.alloc(call);
    const at = machine.pools.ioas.at(body);
    words[objects.at(object) + IOAS_BODY] = body;
    words[at + IOAS_ALIGNMENT] = 1;
    initRwlock(words, at + IOAS_DOMAINS);
    initRwlock(words, at + IOAS_IOVA);
  } catch (error) {
    objects.abort(object);
    throw error;
  }
  return object;
}

/** Takes back what was made and never published. */
export function abortIoas(context: Context, object: number): void {
  endIoas(context, context.objects.at(object), object);
  context.objects.abort(object);
}

/** Destroyer: nobody can reach it, no domain is filled by it, no access is attached. */
export function endIoas(context: Context, objectAt: number, object: number): void {
  const { machine, words } = context;
  const ioas = new Ioas(context, object);
  forgetCompatIoas(context, object);
  unmapAll(ioas, 'DESTROY');
  removeRanges(machine, ioas.at + IOAS_ALLOWED);
  removeRanges(machine, ioas.at + IOAS_RESERVED);
  machine.pools.ioas.free(words[objectAt + IOAS_BODY]);
}
