export * from './attach.ts';
export * from './bind.ts';
export { releaseDevice } from './release.ts';
