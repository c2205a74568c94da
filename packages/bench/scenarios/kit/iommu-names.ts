// What reports call the words of iommufd's tables, and which of them race on purpose.
import type { Racy, Region } from '@faultline/bench/explore';
import { layoutOffset } from '@faultline/core/memory';
import { xarrayLayout } from '@faultline/core/xarray';
import {
  FILE_REFS,
  FILE_WORDS,
  OBJECT_ID,
  OBJECT_RUNNING,
  OBJECT_USERS,
  OBJECT_WAITING,
  OBJECT_WORDS,
} from './iommufd.ts';
import { type Names, objectNames } from './names.ts';
import { copyBeforeClaim, refcountLook, stateGuess } from './racy.ts';

const POOL_HEADER = 32;
const BLOCK = 1024;
const SLOTS_NAMED = 10;
/** Offsets in a fault queue's words (fault-queue/layout.ts). */
export const QUEUE = { COOKIES: 2, SEQUENCE: 32, LOCK: 64, WAKE: 96, SLEEPERS: 97, RING: 128 };
const OBJECT = { ID: OBJECT_ID, USERS: OBJECT_USERS, RUNNING: OBJECT_RUNNING, WAITING: OBJECT_WAITING };

/** Words of a pool of the machine's, by record. */
function poolNames(names: Names, records: number, words: number): Names {
  return { LOCK: 0, ...objectNames(names, 1, records, POOL_HEADER + words, words) };
}
export const objectPoolNames = (objects: number): Names => poolNames(OBJECT, objects, OBJECT_WORDS);
export const filePoolNames = (files: number): Names => poolNames({ REFS: FILE_REFS }, files, FILE_WORDS);

/** A fault queue's cookies: a word a group, from `at` on. */
export function cookieNames(at: number, groups: number): Names {
  return objectNames({ COOKIE: 0 }, 1, groups, at + 1, 1);
}

/** Words of an xarray of which the first block is in use. */
export function xarrayNames(name: string, at: number, maxNodes: number): Names {
  const layout = xarrayLayout(maxNodes);
  const slots = at + layoutOffset(layout, 'SLOTS');
  const names: Record<string, number> = {
    [`${name}.ROOT`]: at + layoutOffset(layout, 'ROOT'),
    [`${name}.USED`]: slots + BLOCK,
  };
  for (let slot = 1; slot <= SLOTS_NAMED; slot++) names[`${name}.${slot}`] = slots + slot;
  return names;
}

type Memory = (design: string) => readonly Region[];

/** What races on purpose in iommufd and in the fault path below it, with the reasons that they give. */
export function iommuRacy(memory: Memory): readonly Racy[] {
  const called = (region: string, ...fields: string[]): number[] => {
    const named = Object.entries(memory('').find(({ name }) => name === region)?.fields ?? {});
    return named.filter(([field]) => fields.includes(field.slice(field.lastIndexOf('.') + 1))).map(([, at]) => at);
  };
  const hints = (region: string): Racy => ({
    region,
    offsets: called(region, 'ROOT', 'USED'),
    why: 'xarray: ROOT is written once, and who finds none looks again; USED only says where looking is in vain',
  });
  return [
    refcountLook(memory),
    stateGuess(memory),
    copyBeforeClaim(memory),
    {
      region: 'iommufd.fault-queues',
      offsets: called('iommufd.fault-queues', 'COOKIE'),
      why: 'reserved plainly, while it is not out: no compare-exchange of an answer, which wants it out, can succeed on it',
    },
    hints('iommufd.ids'),
    hints('iommufd.fds'),
    {
      region: 'iommufd.objects',
      offsets: called('iommufd.objects', 'USERS', 'RUNNING', 'WAITING'),
      why: 'who found what was in a row before is refused by a count of 0, or looks at its slot again and lets go',
    },
    {
      region: 'iommufd.files',
      offsets: called('iommufd.files', 'REFS'),
      why: 'refcountIncNotZero guesses the count: only its compare-exchange decides',
    },
  ];
}
