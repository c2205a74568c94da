import { initXarray, Xarray, xarrayWords } from '@faultline/core';
import { type Subject, wordsFor } from './subject.ts';

const INDICES = 1024;

function loads(xarray: Xarray): number {
  let sum = 0;
  for (let index = 0; index < INDICES; index++) sum = (sum + xarray.load(index)) | 0;
  return sum;
}
function stores(xarray: Xarray): void {
  for (let index = 0; index < INDICES; index++) xarray.store(index, index + 1);
}
function allocAndErase(xarray: Xarray): void {
  for (let i = 0; i < INDICES; i++) xarray.erase(xarray.alloc(i + 1, 2 * INDICES, 4 * INDICES));
}

/** Indices: cookies, PASIDs, virtual ids. */
export const xarray: Subject = {
  name: 'xarray',
  costs() {
    const { words, base } = wordsFor(xarrayWords(8));
    initXarray(words, base, 8);
    const array = new Xarray(words, base);
    stores(array);
    return [
      { name: 'load', operations: INDICES, run: () => void loads(array) },
      { name: 'store', operations: INDICES, run: () => stores(array) },
      { name: 'alloc and erase', operations: INDICES, run: () => allocAndErase(array) },
    ];
  },
};
