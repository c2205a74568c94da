// The accesses that are attached to an IOAS, as a list. An access on its way to another IOAS is in both lists, by one of its two sides each.
// A link is the access's object with its side: object * 2 + side, 0 at the end. Context: the areas lock.
import type { Context } from '../context/context.ts';
import { ACCESS_NEXT, ACCESS_NEXT1 } from '../objects/index.ts';
import { IOAS_ACCESSES } from './layout.ts';
import type { Ioas } from './tables.ts';

/** Offset of the next link, by side. */
export const NEXT: readonly [number, number] = [ACCESS_NEXT, ACCESS_NEXT1];

export function linkTo(access: number, side: number): number {
  return access * 2 + side;
}

/** Word offset of the link that follows one. */
export function nextAt({ objects }: Context, link: number): number {
  return objects.at(link >>> 1) + NEXT[link & 1];
}

/** Objects of an IOAS's accesses, newest first. */
export function* accessesOf({ context, at }: Ioas): Generator<number> {
  const { words } = context;
  for (let link = words[at + IOAS_ACCESSES]; link !== 0; link = words[nextAt(context, link)]) yield link >>> 1;
}
