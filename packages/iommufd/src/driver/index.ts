export * from './dirty-sink.ts';
export * from './driver.ts';
