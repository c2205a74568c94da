// Where scenarios get iommufd from: its built package, which checked threads take for its sources.
export * from '../../../iommufd/dist/index.js';
