export * from './accesses.ts';
export { iovaAlignment, smallestPage } from './alignment.ts';
export * from './link-domain.ts';
export * from './sweep.ts';
export { hwptList, Ioas } from './tables.ts';
