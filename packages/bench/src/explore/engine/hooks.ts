// How modules load in a checked thread. In this repository the packages resolve to their TypeScript sources, which Node strips of
// types and nothing else, so that every line is the line that was written. Patches change the text of a module as it loads.
// Each load has modules of its own, marked at the end of their URLs: what an earlier one kept in them it does not see.
// node:timers/promises is replaced: its setImmediate is a scheduling point.
import { existsSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { loadsHere, markOf, markOfLoad, withoutMark } from './boot.ts';

/** A change to a module's source: `find` occurs in it exactly once. */
export interface Patch {
  /** The end of the module's path, such as `core/src/sync/mutex.ts`. */
  readonly module: string;
  readonly find: string;
  readonly replace: string;
}

/** Beside this module, in the sources or built. */
const IN_THREAD = `../in-thread${import.meta.url.slice(import.meta.url.lastIndexOf('.'))}`;
const OURS = { parentURL: import.meta.url };

const IMMEDIATE = 'faultline.explore.immediate';
const TIMERS_URL = 'faultline:timers-promises';
const TIMERS_SOURCE = `
export const setImmediate = () => globalThis[Symbol.for('${IMMEDIATE}')]();
const refused = (name) => () => globalThis[Symbol.for('${IMMEDIATE}')](name);
export const setTimeout = refused('node:timers/promises setTimeout');
export const setInterval = refused('node:timers/promises setInterval');
export const scheduler = { yield: setImmediate, wait: refused('node:timers/promises scheduler.wait') };
`;

/** What an awaited setImmediate does here; with a name: refuses it. */
export type Immediate = (refused?: string) => Promise<void>;

export function provideImmediate(immediate: Immediate): void {
  Reflect.set(globalThis, Symbol.for(IMMEDIATE), immediate);
}

export class PatchError extends Error {
  override readonly name = 'PatchError';
}

/** Loads a module and all that it imports, each anew, patched.
 * @throws PatchError when a patch does not fit, or its module is not loaded. */
export type Load = (url: string, patches: readonly Patch[]) => Promise<Record<string, unknown>>;

/** Installs the hooks, once a thread. */
export function hookModules(): Load {
  let patches: readonly Patch[] = [];
  const applied = new Set<Patch>();
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier === 'node:timers/promises' || specifier === 'timers/promises')
        return { url: TIMERS_URL, format: 'module', shortCircuit: true };
      const mark = markOf(context.parentURL ?? '') || markOf(specifier);
      if (specifier === '@faultline/bench/explore') {
        const ours = next(IN_THREAD, OURS);
        return { ...ours, url: ours.url + mark, shortCircuit: true };
      }
      const resolved = next(specifier, context);
      if (!resolved.url.startsWith('file:')) return resolved;
      const url = withoutMark(resolved.url);
      const source = sourceOf(url);
      if (source === undefined) return { ...resolved, url: url + mark };
      return { ...resolved, url: source + mark, format: 'module-typescript' };
    },
    load(url, context, next) {
      if (url === TIMERS_URL) return { format: 'module', source: TIMERS_SOURCE, shortCircuit: true };
      const loaded = next(url, context);
      const written = withoutMark(url);
      const wanted = patches.filter((patch) => written.endsWith(`/${patch.module}`));
      if (wanted.length === 0) return loaded;
      let text = String(loaded.source);
      for (const patch of wanted) {
        const parts = text.split(patch.find);
        if (parts.length !== 2)
          throw new PatchError(
            `${patch.module}: what is to be patched occurs ${parts.length - 1} times: ${patch.find}`,
          );
        text = parts.join(patch.replace);
        applied.add(patch);
      }
      return { ...loaded, source: text };
    },
  });
  let number = 0;
  return async (url, given) => {
    patches = given;
    applied.clear();
    loadsHere().leave = given.map(({ module }) => module);
    const module = (await import(url + markOfLoad(++number))) as Record<string, unknown>;
    const unused = given.find((patch) => !applied.has(patch));
    if (unused !== undefined)
      throw new PatchError(`${unused.module}: is to be patched, and the scenario does not load it`);
    return module;
  };
}

/** The source of a built module of these packages, when it is there. */
function sourceOf(url: string): string | undefined {
  if (!url.startsWith('file:') || !url.endsWith('.js')) return undefined;
  const path = fileURLToPath(url);
  const match = /^(.*\/packages\/(?:core|hw|iommufd|bench))\/dist\/(.*)\.js$/.exec(path);
  if (match === null) return undefined;
  const source = `${match[1]}/src/${match[2]}.ts`;
  return existsSync(source) ? pathToFileURL(source).href : undefined;
}
