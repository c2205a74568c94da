export * from './constants.ts';
export * from './struct.ts';
export * from './structs.ts';
