import { availableParallelism, cpus, release, totalmem } from 'node:os';
import type { Environment } from './schema.ts';

/** Describes the machine and the runtime that this process is on. */
export function readEnvironment(): Environment {
  return {
    node: process.versions.node,
    v8: process.versions.v8,
    platform: process.platform,
    arch: process.arch,
    release: release(),
    cpus: availableParallelism(),
    cpuModel: cpus()[0]?.model.trim() || 'unknown',
    memoryBytes: totalmem(),
  };
}
