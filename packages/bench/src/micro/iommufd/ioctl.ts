// An ioctl from its number and the bytes of its argument, beside the same command called with an object.
import type { Cost, Subject } from '../costs/subject.ts';
import type { Goal } from '../goals.ts';
import { IoasRig } from './ioas-rig.ts';

const PAGES = 256;

export const IOCTL_MAP = 'map one page, by bytes';
export const IOCTL_GOAL: Goal = { most: 2000 };

function both(name: string, map: (page: number) => void, unmap: (page: number) => void): Cost[] {
  let isMapped = false;
  const set = (wanted: boolean): void => {
    for (let page = 0; isMapped !== wanted && page < PAGES; page++) (wanted ? map : unmap)(page);
    isMapped = wanted;
  };
  return [
    { name: `map one page, ${name}`, operations: PAGES, before: () => set(false), run: () => set(true) },
    { name: `unmap it, ${name}`, operations: PAGES, before: () => set(true), run: () => set(false) },
  ];
}

function subject(name: string, attached: boolean): Subject {
  return {
    name,
    costs() {
      const bytes = new IoasRig(PAGES, attached);
      const typed = new IoasRig(PAGES, attached);
      return [
        ...both(
          'by bytes',
          (page) => bytes.mapBytes(page),
          (page) => bytes.unmapBytes(page),
        ),
        ...both(
          'typed call',
          (page) => typed.map(page),
          (page) => typed.unmap(page),
        ),
      ];
    },
  };
}

/** Without a domain what is mapped is only noted; with one its page is pinned and mapped in the mock's page table. */
export const ioctlSubjects: readonly Subject[] = [
  subject('ioctl, an IOAS of up to 256 areas', false),
  subject('the same, a device attached', true),
];
