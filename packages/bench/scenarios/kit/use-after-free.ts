// Guards: what is wrong with touching a word now. They read through the context's own words, so that what frees an object is
// known to conflict with what touches it.
import type { Context } from '@faultline/bench/explore';
import type { IopfSystem } from '@faultline/core/iopf';
import { OBJECT_FREE, Slab } from '@faultline/core/memory';

type Slabs = 'params' | 'handles' | 'requests';

/** Objects of these slabs are touched by nobody while they are free. */
export function guardSlabs(
  open: (context: Context) => IopfSystem,
  ...names: Slabs[]
): (context: Context) => (word: number) => string | undefined {
  return (context) => {
    const system = open(context);
    const slabs = names.map((name) => ({ name, slab: new Slab(context.words, system[name].base) }));
    return (word) => {
      for (const { name, slab } of slabs) {
        const index = Math.floor((word - slab.objects) / slab.objectWords);
        if (index >= 1 && index <= slab.capacity)
          return slab.state(index) === OBJECT_FREE ? `${name}.${index}: ${slab.describe(index)}` : undefined;
      }
      return undefined;
    };
  };
}
