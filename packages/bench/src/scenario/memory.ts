// A run that does not fit is refused before it starts, with the figure: a process that dies at worker 400 says nothing.
import { readFileSync } from 'node:fs';
import { freemem } from 'node:os';
import { arenaBytes } from '../stress/plan.ts';
import type { StressParameters } from './parameters.ts';

const MIB = 2 ** 20;

// Measured on Node 26: 512 workers with small heaps and tiny entry files take 3.2 GB once they have started, and 4.2 GB once
// each has compiled its code.
const WORKER_BYTES = 7.8 * MIB;
const BASE_BYTES = 90 * MIB;
/** Two threads for the hosts, which have whole heaps. */
const HOST_THREADS = 2;

export interface MemoryEstimate {
  /** Worker threads of the largest cell. */
  workers: number;
  workerBytes: number;
  /** Shared memory: pages, queues and what is kept for a fault in flight. */
  arenaBytes: number;
  /** The process before its first worker. */
  baseBytes: number;
  totalBytes: number;
}

export function estimateMemory(parameters: StressParameters): MemoryEstimate {
  const { threads, threadsPerWorker, handlers, generations, misbehave } = parameters;
  const most = Math.max(...threads);
  const devices = Math.ceil(most / threadsPerWorker) + (misbehave === undefined ? 0 : 1);
  const workers = devices + generations.length * (handlers + HOST_THREADS);
  const sharedBytes = arenaBytes(parameters);
  const workerBytes = workers * WORKER_BYTES;
  return {
    workers,
    workerBytes,
    arenaBytes: sharedBytes,
    baseBytes: BASE_BYTES,
    totalBytes: workerBytes + sharedBytes + BASE_BYTES,
  };
}

/** Bytes this process can still take: the machine's, or its control group's where that is less. */
export function availableMemory(): number {
  const limit = process.constrainedMemory();
  const inGroup = limit > 0 ? limit - process.memoryUsage.rss() : Number.POSITIVE_INFINITY;
  return Math.max(0, Math.min(machineAvailable(), inGroup));
}

/** MemAvailable counts what the kernel can take back from its caches; free memory alone does not. */
function machineAvailable(): number {
  if (process.platform !== 'linux') return freemem();
  const kib = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
  return kib === undefined ? freemem() : Number(kib) * 1024;
}

/** @returns why the run cannot start, with both figures, or null when it fits. */
export function refuseMemory(parameters: StressParameters, availableBytes: number): string | null {
  const { workers, workerBytes, arenaBytes, totalBytes } = estimateMemory(parameters);
  if (totalBytes <= availableBytes) return null;
  const most = Math.max(...parameters.threads);
  const mib = (bytes: number): string => `${Math.ceil(bytes / MIB)} MiB`;
  return (
    `${most} threads need about ${mib(totalBytes)} (${workers} workers ${mib(workerBytes)}, shared memory ` +
    `${mib(arenaBytes)}), and ${mib(availableBytes)} are available: pack threads with --threads-per-worker ` +
    `(now ${parameters.threadsPerWorker}), or ask for fewer`
  );
}
