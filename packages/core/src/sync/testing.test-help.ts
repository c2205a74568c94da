// Shared words for single-thread tests, and the tasks of the threaded ones.
import type { Arena } from '../memory/index.ts';
import { runWorkers, SEED, type TestTask } from './run-workers.test-help.ts';
import { LINE, type ThreadSelf, type Words } from './thread-self.ts';

/** Zeroed shared words, with room for `needWords` at LINE. */
export function wordsFor(needWords: number): Words {
  return new Int32Array(new SharedArrayBuffer((LINE + needWords) * 4));
}

export function thread(id: number, spins: number = 0): ThreadSelf {
  return { id, spins };
}

/** Runs one sync.test-worker.ts for each role. */
export function runRoles<Report>(
  arena: Arena,
  roles: readonly string[],
  { rounds, spins = 0, option = 0 }: { rounds: number; spins?: number; option?: number },
): Promise<Report[]> {
  const tasks = roles.map((role, at): TestTask => {
    return { role, arena: arena.share(), id: at + 1, threads: roles.length, rounds, spins, seed: SEED, option };
  });
  return runWorkers<Report>(new URL('./sync.test-worker.ts', import.meta.url), tasks);
}
