export * from './accesses.ts';
export * from './link-domain.ts';
export { hwptList, Ioas } from './tables.ts';
