import type { Destroyer } from '../objects/index.ts';
import type { Context } from './context.ts';

/** How objects of each type end: by OBJ_*. */
export function destroyersOf(_context: Context): Readonly<Record<number, Destroyer>> {
  return {};
}
