// How a thread starts. Node strips a TypeScript module of its types each time that a thread loads it, which is most of what starting
// one costs: here each is stripped once, and handed to the threads that come after.

import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Text by URL, and of when. */
const stripped = new Map<string, { readonly text: string; readonly at: number }>();

/** When the file was last written: a module that has changed since it was stripped is stripped again. */
function writtenAt(url: string): number {
  return statSync(fileURLToPath(url), { throwIfNoEntry: false })?.mtimeMs ?? -1;
}

/** What goes into `workerData`, under names of the boot's own. */
export interface BootData {
  readonly bootEntry: string;
  readonly bootStripped: ReadonlyMap<string, string>;
  /** Ends of the paths of modules that are patched: those are left as they are written. */
  readonly bootLeave: readonly string[];
}

// A module of its own, as text: it must run before the first module that needs it. The modules that it strips are kept under a
// symbol, for the thread to send on.
const BOOT = `
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import { workerData } from 'node:worker_threads';
const { bootEntry, bootStripped, bootLeave } = workerData;
const fresh = (globalThis[Symbol.for('faultline.explore.fresh')] = new Map());
const digest = (globalThis[Symbol.for('faultline.explore.digest')] = { sum: 0 });
const note = (text) => {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  digest.sum = (digest.sum + hash) | 0; // in any order: modules load as they come
};
registerHooks({
  load(url, context, next) {
    const known = bootStripped.get(url);
    const asWritten = bootLeave.some((end) => url.endsWith('/' + end));
    if (known !== undefined && !asWritten) {
      note(known);
      return { format: 'module', source: known, shortCircuit: true };
    }
    const loaded = next(url, context);
    if (loaded.format !== 'module-typescript' || asWritten) {
      if (url.startsWith('file:')) note(String(loaded.source));
      return loaded;
    }
    const source = stripTypeScriptTypes(String(loaded.source));
    note(source);
    fresh.set(url, source);
    return { format: 'module', source };
  },
});
await import(bootEntry);
`;

export const BOOT_URL: URL = new URL(`data:text/javascript,${encodeURIComponent(BOOT)}`);

/** Stripping is experimental in name; the threads need not all say so. */
export const BOOT_ARGUMENTS: readonly string[] = ['--disable-warning=ExperimentalWarning'];

export function bootData(entry: URL, leave: readonly string[]): BootData {
  const current = new Map<string, string>();
  for (const [url, { text, at }] of stripped) if (writtenAt(url) === at) current.set(url, text);
  return { bootEntry: entry.href, bootStripped: current, bootLeave: leave };
}

/** In a thread: what it had to strip itself. */
export function freshlyStripped(): ReadonlyMap<string, string> {
  return (
    (Reflect.get(globalThis, Symbol.for('faultline.explore.fresh')) as Map<string, string> | undefined) ?? new Map()
  );
}

/** In a thread: a digest of all modules that it has loaded. */
export function sourcesDigest(): number {
  return (Reflect.get(globalThis, Symbol.for('faultline.explore.digest')) as { sum: number } | undefined)?.sum ?? 0;
}

/** On the main thread: keeps what a thread had to strip. */
export function keepStripped(fresh: ReadonlyMap<string, string>): void {
  for (const [url, text] of fresh) stripped.set(url, { text, at: writtenAt(url) });
}
