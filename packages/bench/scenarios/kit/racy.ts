// The plain accesses of the fault path that race on purpose, each with the reason that core gives for it.
import type { Racy, Region } from '@faultline/bench/explore';

type Memory = (design: string) => readonly Region[];

/** All words of a region that are called so, whichever object's they are. */
function words(memory: Memory, name: string, fields: readonly string[], why: string): Racy {
  const region = memory('').find((one) => one.name === name);
  const named = Object.entries(region?.fields ?? {});
  const offsets = named.filter(([field]) => fields.includes(field.slice(field.indexOf('.') + 1))).map(([, at]) => at);
  if (offsets.length === 0) throw new Error(`racy: no ${fields.join(' or ')} in ${name}`);
  return { region: name, offsets, why };
}

export function refcountLook(memory: Memory): Racy {
  const why = 'refcountIncNotZero guesses the count: only its compare-exchange decides, and a zero is looked at again';
  return words(memory, 'iopf.params', ['USERS'], why);
}

export function stateGuess(memory: Memory): Racy {
  return words(memory, 'iopf.requests', ['STATE'], "the holder's guess, which its compare-exchange confirms");
}

export function copyBeforeClaim(memory: Memory): Racy {
  const why = 'PRI-off copies a record before its claim, and uses the copy only if the claim wins';
  return words(
    memory,
    'iopf.requests',
    ['DEVICE', 'FLAGS', 'PASID', 'GRPID', 'PERM', 'PAGE_LO', 'PAGE_HI', 'TOKEN'],
    why,
  );
}
