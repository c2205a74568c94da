// Finds the scenarios: every file under the folder is imported, and its exports looked at.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Scenario } from '../../explore/scenario.ts';
import type { Found } from './types.ts';

/** The folder of the scenarios that come with this package: as they are written, in the repository, so that findings name their
 * lines; built, in a package, where Node strips no types. */
export function shippedScenarios(): string {
  const written = fileURLToPath(new URL('../../../scenarios', import.meta.url));
  return existsSync(written) ? written : fileURLToPath(new URL('../../scenarios', import.meta.url));
}

/** @returns the scenarios that the files under `folder` export, by name.
 * @throws Error naming the file that cannot be loaded, or both of two scenarios with one name. */
export async function loadScenarios(folder: string): Promise<Found[]> {
  const found = new Map<string, Found>();
  const entries = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const files = entries.filter((name) => /(?<!\.test|\.d)\.[jt]s$/.test(name)).toSorted();
  for (const name of files) {
    const file = join(folder, name);
    for (const [exportName, value] of Object.entries(await load(file))) {
      if (!isScenario(value)) continue;
      const other = found.get(value.spec.name);
      if (other && other.scenario !== value)
        throw new Error(`two scenarios are named "${value.spec.name}": in ${other.file} and in ${file}`);
      if (!other) found.set(value.spec.name, { scenario: value, file, exportName });
    }
  }
  return [...found.values()].toSorted((a, b) => (a.scenario.spec.name < b.scenario.spec.name ? -1 : 1));
}

async function load(file: string): Promise<object> {
  try {
    return (await import(pathToFileURL(file).href)) as object;
  } catch (error) {
    throw new Error(`${file}: cannot be loaded: ${(error as Error).message}`, { cause: error });
  }
}

function isScenario(value: unknown): value is Scenario {
  if (typeof value !== 'object' || value === null || !('spec' in value) || !('url' in value)) return false;
  const { spec } = value;
  return (
    typeof spec === 'object' && spec !== null && 'threads' in spec && 'name' in spec && typeof spec.name === 'string'
  );
}
