import { shellWord } from '../../explore/report/text.ts';
import type { ExploreOptions } from './options.ts';

/** The command that was given, as a shell takes it: options in the order in which they were given. */
export function commandOf(names: readonly string[], options: ExploreOptions): string {
  const given = Object.entries(options).map(([name, value]: [string, string | boolean]) =>
    value === true ? `--${name}` : `--${name} ${shellWord(String(value))}`,
  );
  return ['faultline explore', ...names.map(shellWord), ...given].join(' ');
}
