export * from './compare.ts';
export * from './html.ts';
export * from './json.ts';
export type { Measured } from './measured.ts';
export { FileError } from './parse.ts';
export * from './read.ts';
export * from './text.ts';
