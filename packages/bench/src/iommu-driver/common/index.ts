export * from './attached.ts';
export * from './blocking.ts';
export * from './layout.ts';
export * from './paging-domains.ts';
export * from './region.ts';
export * from './user-data.ts';
