export * from './access.ts';
export * from './items.ts';
export * from './pin.ts';
