export * from './attach.ts';
export * from './bind.ts';
