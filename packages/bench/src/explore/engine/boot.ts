// How a thread starts. Node strips a TypeScript module of its types each time that a thread loads it, which is most of what starting
// one costs: here each is stripped once, and handed to the threads that come after.

/** Text by URL. */
const stripped = new Map<string, string>();

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
registerHooks({
  load(url, context, next) {
    const known = bootStripped.get(url);
    const asWritten = bootLeave.some((end) => url.endsWith('/' + end));
    if (known !== undefined && !asWritten) return { format: 'module', source: known, shortCircuit: true };
    const loaded = next(url, context);
    if (loaded.format !== 'module-typescript' || asWritten) return loaded;
    const source = stripTypeScriptTypes(String(loaded.source));
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
  return { bootEntry: entry.href, bootStripped: stripped, bootLeave: leave };
}

/** In a thread: what it had to strip itself. */
export function freshlyStripped(): ReadonlyMap<string, string> {
  return (
    (Reflect.get(globalThis, Symbol.for('faultline.explore.fresh')) as Map<string, string> | undefined) ?? new Map()
  );
}

/** On the main thread: keeps what a thread had to strip. */
export function keepStripped(fresh: ReadonlyMap<string, string>): void {
  for (const [url, text] of fresh) stripped.set(url, text);
}
