// How a thread starts. Node strips a TypeScript module of its types each time that a thread loads it, which is most of what loading
// one costs: here each is stripped once, kept by the thread for its next load, and handed to the threads that come after.

/** A module's text without types, and when its file was last written, in milliseconds: one written since is stripped again. */
export interface Stripped {
  readonly text: string;
  readonly at: number;
}

/** What the loading of modules in a thread goes by, and what it notes. */
export interface Loads {
  readonly stripped: Map<string, Stripped>;
  /** What was stripped since this was last cleared. */
  readonly fresh: Map<string, Stripped>;
  /** Ends of the paths of modules that are patched: those are left as they are written. */
  leave: readonly string[];
  /** A digest of what was loaded, in any order. */
  digest: number;
  /** Something stays that the next load would find as it was left: a module without a mark, a timer. */
  stays: boolean;
}

const LOADS = 'faultline.explore.loads';

/** What a load's modules bear at the end of their URLs, so that the next load has its own. */
const MARK = '#load-';
const MARKED = /#load-\d+/;
const ALL_MARKED = /#load-\d+/g;

export function markOf(url: string): string {
  return MARKED.exec(url)?.[0] ?? '';
}
export function markOfLoad(number: number): string {
  return `${MARK}${number}`;
}
export function withoutMark(url: string): string {
  return url.replace(MARKED, '');
}

/** A stack as the modules are written: without the marks of their load. */
export function withoutMarks(stack: string): string {
  return stack.replaceAll(ALL_MARKED, '');
}

// A module of its own, as text: it must run before the first module that needs it.
const BOOT = `
import { statSync } from 'node:fs';
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import { fileURLToPath } from 'node:url';
import { workerData } from 'node:worker_threads';
const loads = (globalThis[Symbol.for('${LOADS}')] = {
  stripped: workerData.bootStripped, fresh: new Map(), leave: [], digest: 0, stays: false,
});
const note = (text) => {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  loads.digest = (loads.digest + hash) | 0; // in any order: modules load as they come
};
registerHooks({
  load(given, context, next) {
    const url = given.replace(${String(MARKED)}, '');
    if (!url.startsWith('file:')) return next(given, context);
    if (url === given) loads.stays = true;
    const asWritten = loads.leave.some((end) => url.endsWith('/' + end));
    const at = statSync(fileURLToPath(url), { throwIfNoEntry: false })?.mtimeMs ?? -1;
    const known = loads.stripped.get(url);
    if (known !== undefined && known.at === at && !asWritten) {
      note(known.text);
      return { format: 'module', source: known.text, shortCircuit: true };
    }
    const loaded = next(given, context);
    if (loaded.format !== 'module-typescript' || asWritten) {
      note(String(loaded.source));
      return loaded;
    }
    const text = stripTypeScriptTypes(String(loaded.source));
    note(text);
    loads.stripped.set(url, { text, at });
    loads.fresh.set(url, { text, at });
    return { format: 'module', source: text };
  },
});
await import(workerData.bootEntry);
`;

export const BOOT_URL: URL = new URL(`data:text/javascript,${encodeURIComponent(BOOT)}`);

/** Stripping is experimental in name; the threads need not all say so. */
export const BOOT_ARGUMENTS: readonly string[] = ['--disable-warning=ExperimentalWarning'];

/** In a thread. */
export function loadsHere(): Loads {
  return Reflect.get(globalThis, Symbol.for(LOADS)) as Loads;
}

/** What goes into `workerData`, under names of the boot's own. */
export interface BootData {
  readonly bootEntry: string;
  readonly bootStripped: ReadonlyMap<string, Stripped>;
}

const stripped = new Map<string, Stripped>();

/** On the main thread: what a new thread is given. */
export function bootData(entry: URL): BootData {
  return { bootEntry: entry.href, bootStripped: stripped };
}

/** On the main thread: keeps what a thread had to strip. */
export function keepStripped(fresh: ReadonlyMap<string, Stripped>): void {
  for (const [url, each] of fresh) stripped.set(url, each);
}
