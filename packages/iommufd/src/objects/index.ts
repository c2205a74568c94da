export * from './layout.ts';
export * from './object-table.ts';
export * from './payloads.ts';
