export * from './bytes-memory.ts';
export * from './caller.ts';
export * from './memory-file.ts';
export * from './physical-memory.ts';
export * from './process-memory.ts';
export * from './user-memory.ts';
