#!/usr/bin/env node
import { availableMemory } from '../scenario/memory.ts';
import { calibrate, runCells } from '../stress/run.ts';
import { main } from './program.ts';
import { interruptSignal } from './signals.ts';

// Exits outright: a run that was interrupted may leave threads behind that sleep in Atomics.wait and hear nothing else.
process.exit(
  await main(process.argv.slice(2), {
    engine: { runCells, calibrate },
    out: process.stdout,
    err: process.stderr,
    signal: interruptSignal(),
    availableBytes: availableMemory(),
  }),
);
