// A finding that is to stay mended: a test file that replays its schedule.
import { IommuError } from '@faultline/core/errors';
import type { Finding } from '../result.ts';
import { replayCommand } from './text.ts';

export interface SavedFrom {
  /** Module specifier of the scenario's file, as seen from the folder that the test is saved to. */
  readonly importPath: string;
  /** Name that the file exports the scenario by; `default` for its default. */
  readonly exportName: string;
}

/** @returns the text of a vitest file that fails as long as the schedule still breaks the code.
 * @throws IommuError EINVAL if `exportName` is no name, or the finding has no token to replay. */
export function regressionTest(finding: Finding, { importPath, exportName }: SavedFrom): string {
  const { scenario, design, kind, message, token } = finding;
  if (!/^[A-Za-z_$][\w$]*$/.test(exportName))
    throw new IommuError('EINVAL', 'regressionTest', 'exportName', exportName, 'must be a name');
  if (token === '')
    throw new IommuError('EINVAL', 'regressionTest', 'token', token, 'this finding has no schedule to replay');
  const local = exportName === 'default' || exportName === 'replayed' ? 'saved' : exportName;
  const binding = local === exportName ? `{ ${local} }` : `{ ${exportName} as ${local} }`;
  return `// ${oneLine(`${kind}: ${message}`)}
// See it: ${oneLine(replayCommand(scenario, design, token))}
import { replayed } from '@faultline/bench/explore/vitest';
import ${binding} from ${quoted(importPath)};

replayed(${quoted(`${scenario}, ${design}: no ${kind} any more`)}, ${local}, ${quoted(token)});
`;
}

/** Text that stays within its comment. */
function oneLine(text: string): string {
  return text.replace(/[\r\n\u2028\u2029]+/g, ' ');
}

function quoted(text: string): string {
  const body = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'");
  return `'${body.replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')}'`;
}
