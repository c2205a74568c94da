export * from './domains.ts';
export * from './paging.ts';
