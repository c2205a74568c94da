/** A module as it is built, typed as its source: its workers are one file each and have no types to strip, so that they start in a
 * fifth of the time, and are what ships. By URL: the type check must not need what the build makes. */
export function built<Module>(path: string): Promise<Module> {
  return import(new URL(`../dist/${path}`, import.meta.url).href) as Promise<Module>;
}
