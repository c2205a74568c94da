import { extname } from 'node:path';
import { IommuError } from '../errors/index.ts';

/** URL of the worker entry `name` beside the module at `importerUrl` (its `import.meta.url`), with that module's own extension:
 * `.ts` from the sources, where Node strips the types, `.js` from the build, also in an installed package.
 * @throws IommuError EINVAL when the importer is neither. */
export function workerUrl(name: string, importerUrl: string): URL {
  const extension = extname(new URL(importerUrl).pathname);
  if (extension !== '.ts' && extension !== '.js')
    throw new IommuError('EINVAL', 'workerUrl', 'importerUrl', importerUrl, 'must end in .ts or .js');
  return new URL(`./${name}${extension}`, importerUrl);
}
