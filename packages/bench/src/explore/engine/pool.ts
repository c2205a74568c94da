// The checker's threads, from the main thread's side. Starting one costs more than most explorations: who is done gives them back, and
// the next exploration takes them. Those that nobody takes are ended soon.
import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { BOOT_ARGUMENTS, BOOT_URL, bootData } from './boot.ts';
import type { FromThread, ToThread } from './protocol.ts';

/** What is done with what a thread tells. */
export interface Listener {
  told(message: FromThread): void;
  /** It has ended, or threw where nobody caught it. */
  lost(why: string, stack: string): void;
}

const IDLE_MS = 1_000;
/** A thread keeps the modules of each load. */
const MOST_LOADS = 64;

export class CheckerThread {
  /** Who has it; nobody while it is idle. */
  listener: Listener | undefined;
  readonly #worker: Worker;
  #loads = 0;

  constructor() {
    this.#worker = new Worker(BOOT_URL, {
      workerData: bootData(workerUrl()),
      execArgv: [...process.execArgv.filter((each) => !each.startsWith('--input-type')), ...BOOT_ARGUMENTS],
      name: 'checker',
    });
    const lost = (why: string, stack: string = ''): void => {
      idle.delete(this);
      this.listener?.lost(why, stack);
    };
    this.#worker.on('message', (message: FromThread) => this.listener?.told(message));
    this.#worker.on('error', (error: Error) => lost(`threw outside its run: ${error.message}`, error.stack));
    this.#worker.on('exit', (code) => lost(`ended by itself, with exit code ${code}`));
  }

  tell(message: ToThread): void {
    if (message.kind === 'load') this.#loads++;
    this.#worker.postMessage(message);
  }

  get worn(): boolean {
    return this.#loads >= MOST_LOADS;
  }

  /** Whether the process is to wait for it. */
  set needed(needed: boolean) {
    if (needed) this.#worker.ref();
    else this.#worker.unref();
  }

  async end(): Promise<void> {
    this.listener = undefined;
    await this.#worker.terminate();
  }
}

const idle = new Set<CheckerThread>();
let idleTimer: NodeJS.Timeout | undefined;

/** A thread that has loaded nothing, or nothing that stays. */
export function takeThread(listener: Listener): CheckerThread {
  const [kept] = idle;
  const thread = kept ?? new CheckerThread();
  idle.delete(thread);
  thread.listener = listener;
  thread.needed = true;
  return thread;
}

/** Back from who is done with them, and they with what they did. */
export async function giveBack(threads: readonly CheckerThread[]): Promise<void> {
  const worn = threads.filter((thread) => thread.worn);
  for (const thread of threads) {
    if (thread.worn) continue;
    thread.listener = undefined;
    thread.needed = false;
    idle.add(thread);
  }
  clearTimeout(idleTimer);
  idleTimer = setTimeout(() => void endIdleThreads(), IDLE_MS).unref();
  await endThreads(worn);
}

export async function endThreads(threads: Iterable<CheckerThread>): Promise<void> {
  await Promise.all(Array.from(threads, (thread) => thread.end()));
}

/** Those that nobody has. What explores next starts its own. */
export async function endIdleThreads(): Promise<void> {
  const ending = [...idle];
  idle.clear();
  await endThreads(ending);
}

/** Beside this module: the source in the repository, the built one in a package. */
function workerUrl(): URL {
  const source = new URL('./thread.worker.ts', import.meta.url);
  return existsSync(source) ? source : new URL('./thread.worker.js', import.meta.url);
}
