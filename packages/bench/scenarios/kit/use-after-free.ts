// Guards: what is wrong with touching a word now.
import type { Context } from '@faultline/bench/explore';
import type { IopfSystem } from '@faultline/core/iopf';
import { OBJECT_FREE, type Slab } from '@faultline/core/memory';

type Guard = (word: number) => string | undefined;
type Slabs = 'params' | 'handles' | 'requests';

/** Objects of these slabs are touched by nobody while they are free. */
export function guardSlabs(open: (context: Context) => IopfSystem, ...names: Slabs[]): (context: Context) => Guard {
  return (context) => {
    const system = open(context);
    const slabs = names.map((name) => ({ name, slab: system[name] }));
    return (word) => {
      for (const { name, slab } of slabs) {
        const index = Math.floor((word - slab.objects) / slab.objectWords);
        if (index >= 1 && index <= slab.capacity && isFree(slab, index))
          return `${name}[${index}]: ${slab.describe(index)}`;
      }
      return undefined;
    };
  };
}

function isFree(slab: Slab, index: number): boolean {
  return slab.state(index) === OBJECT_FREE;
}
