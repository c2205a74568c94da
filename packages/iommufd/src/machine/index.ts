export { type IommufdConfig, initIommufd, iommufdConfig, iommufdRegions } from './config.ts';
export * from './layout.ts';
export * from './machine.ts';
