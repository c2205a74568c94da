// A thread of explorations: it loads a scenario, takes part in its sessions, and then loads the next.
import { parentPort } from 'node:worker_threads';
import { loadsHere, withoutMarks } from './boot.ts';
import { hookModules } from './hooks.ts';
import { messageOf, stackOf } from './judge.ts';
import { type Loaded, Program } from './program.ts';
import type { FromThread, ThreadTask, ToThread } from './protocol.ts';
import { ABORTED } from './scheduler.ts';

const port = parentPort;
if (port === null) throw new Error('thread.worker is a worker');
const tell = (message: FromThread): void => port.postMessage(message);
const refuse = (what: string, error: unknown): void =>
  tell({ kind: 'refused', message: withoutMarks(`${what}${messageOf(error)}`), stack: stackOf(error) });

const load = hookModules();
const loads = loadsHere();
/** Of the checker's own modules, which are loaded once. */
const ownDigest = loads.digest;
const globalsAtFirst = Reflect.ownKeys(globalThis).length + 1; // and the one by which modules find setImmediate
loads.stays = false;
let loaded: Loaded | undefined;

async function become(task: ThreadTask): Promise<void> {
  loads.digest = ownDigest;
  loads.fresh.clear();
  port?.unref(); // a module that waits for what never comes leaves nothing to do, and the thread ends
  loaded = await Program.load(task, load);
  port?.ref();
  tell({ kind: 'loaded', stripped: loads.fresh, digest: loads.digest });
}

function isClean(): boolean {
  return !loads.stays && Reflect.ownKeys(globalThis).length === globalsAtFirst;
}

port.on('message', (message: ToThread) => {
  if (message.kind === 'load') become(message.task).catch((error: unknown) => refuse('', error));
  else if (message.kind === 'session')
    void loaded?.session(message.watched).then((notes) => tell({ kind: 'ended', ...notes, clean: isClean() }));
  else
    try {
      loaded?.layOut();
      tell({ kind: 'laid-out' });
    } catch (error) {
      refuse('setup: ', error);
    }
});

process.on('unhandledRejection', (error) => {
  if (error !== ABORTED) refuse('outside a thread: ', error); // ABORTED: of a schedule that was over
});
