export * from './file-table.ts';
export * from './layout.ts';
