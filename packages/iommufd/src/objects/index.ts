export * from './layout.ts';
export * from './object-table.ts';
