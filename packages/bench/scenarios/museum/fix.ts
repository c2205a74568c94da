// Where an exhibit is from: the commit of Linux that repaired the bug, and the releases that had it.

/** A bug that Linux shipped and fixed. */
export interface Fix {
  /** Abbreviated id in Linux' mainline. */
  readonly commit: string;
  /** The commit's subject. */
  readonly title: string;
  readonly cve?: string;
  /** First and last mainline release with the bug, such as `6.9 to 6.13`. */
  readonly shipped: string;
  /** The mainline release without it, and stable ones that are known. */
  readonly fixed: string;
}

/** The `source` of an exhibit's scenario: `explore --markdown` reads it back for the museum's table. */
export function sourceOf({ commit, title, cve, shipped, fixed }: Fix): string {
  return `Linux ${commit} "${title}"${cve === undefined ? '' : ` (${cve})`}: shipped in ${shipped}, fixed in ${fixed}`;
}
