export * from './constants.ts';
export * from './records.ts';
export * from './struct.ts';
export * from './structs.ts';
