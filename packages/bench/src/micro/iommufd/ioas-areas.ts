// Mapping and unmapping a page between areas that are there: what their number costs.
import type { Subject } from '../costs/subject.ts';
import { IoasRig } from './ioas-rig.ts';

export const AREAS: readonly number[] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000];
const OPERATIONS = 512;

export function areasSubject(areas: number): string {
  return `IOAS, ${areas} areas`;
}

export const areasSubjects: readonly Subject[] = AREAS.map((areas) => ({
  name: areasSubject(areas),
  costs() {
    const rig = new IoasRig(areas);
    for (let area = 0; area < areas; area++) rig.map(2 * area); // every other page, so that none is between none
    let state = 1;
    const anywhere = (): number => {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      return 2 * ((state >>> 8) % areas) + 1;
    };
    return [
      {
        name: 'map and unmap a page between them',
        operations: OPERATIONS,
        run() {
          for (let i = 0; i < OPERATIONS; i++) {
            const page = anywhere();
            rig.map(page);
            rig.unmap(page);
          }
        },
      },
    ];
  },
}));
