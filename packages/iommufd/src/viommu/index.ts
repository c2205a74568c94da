export * from './vdevice.ts';
export * from './viommu.ts';
