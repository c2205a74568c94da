// Where runs and benchmarks get iommufd from: its built package, and the process that its own tests have.

export {
  initPhysicalMemory,
  initProcessMemory,
  PhysicalMemory,
  ProcessMemory,
  physicalMemoryWords,
  processMemoryWords,
} from '../../iommufd/dist/caller/index.js';
export * from '../../iommufd/dist/index.js';
export { ioasUnmap } from '../../iommufd/dist/ioas/map-commands.js';
