import type { Context } from '../context/index.ts';
import { OBJ_IOAS } from '../uapi/index.ts';
import { Ioas } from './tables.ts';

/** Runs `body` with an IOAS held by its id. @throws IommuError ENOENT */
export function withIoas<T>(context: Context, call: string, field: string, id: number, body: (ioas: Ioas) => T): T {
  const object = context.objects.get(call, field, id, OBJ_IOAS);
  try {
    return body(new Ioas(context, object));
  } finally {
    context.objects.put(object);
  }
}
