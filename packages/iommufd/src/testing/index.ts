// What examples and tests run on: a machine in this process, the kernel's mock IOMMU, and its test command.
export { initProcessMemory, MemoryFile, ProcessMemory, processMemoryWords } from '../caller/index.ts';
export { createLab, type Lab, type LabConfig, type LabDriver, openLab, type SharedLab } from './lab.ts';
export * from './mock/index.ts';
export { createMockLab, type MockLab, type MockLabConfig, openMockLab } from './mock-lab.ts';
export { testDispatcher, testOps } from './test-commands/index.ts';
