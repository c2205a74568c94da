#!/usr/bin/env node
import { litmus } from '../explore/litmus/litmus.ts';
import { availableMemory } from '../scenario/memory.ts';
import { calibrate, runCells } from '../stress/run.ts';
import { checker, loadScenarios, shippedScenarios } from './explore/index.ts';
import { main } from './program.ts';
import { interruptSignal } from './signals.ts';

// Exits outright: a run that was interrupted may leave threads behind that sleep in Atomics.wait and hear nothing else.
process.exit(
  await main(process.argv.slice(2), {
    engine: { runCells, calibrate },
    explorer: checker,
    litmus,
    loadScenarios: () => loadScenarios(shippedScenarios()),
    out: process.stdout,
    err: process.stderr,
    signal: interruptSignal(),
    availableBytes: availableMemory(),
  }),
);
