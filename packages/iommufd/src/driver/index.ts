export * from './dirty-sink.ts';
export * from './driver.ts';
export * from './fault-flags.ts';
export * from './user-data.ts';
