// The options that are parameters: how each is spelled, and how its text becomes a value for the schema to judge.
import { type Command, InvalidArgumentError, Option } from 'commander';
import { GENERATIONS, IOMMUS, MISBEHAVIOURS, type ParameterName } from '../scenario/parameters.ts';

type Kind = 'number' | 'numbers' | 'word' | 'words' | 'flag';

interface ParameterOption {
  readonly field: ParameterName;
  readonly flag: string;
  readonly argument: string;
  readonly kind: Kind;
  readonly help: string;
}

const option = (field: ParameterName, flag: string, argument: string, kind: Kind, help: string): ParameterOption => ({
  field,
  flag,
  argument,
  kind,
  help,
});

const PARAMETER_OPTIONS: readonly ParameterOption[] = [
  option('iommu', '--iommu', '<which>', 'word', `IOMMU that the devices are behind: ${IOMMUS.join(', ')}`),
  option('threads', '--threads', '<n,...>', 'numbers', 'device threads, a cell each'),
  option('generations', '--generations', '<name,...>', 'words', `fault paths: ${GENERATIONS.join(', ')}`),
  option('faults', '--faults', '<n>', 'number', 'length of a cell in faults'),
  option('seconds', '--seconds', '<s>', 'number', 'length of a cell in seconds'),
  option('repeats', '--repeats', '<n>', 'number', 'how often each cell is measured'),
  option('devices', '--devices', '<n>', 'number', 'devices that the threads are spread over'),
  option('queueEntries', '--queue-entries', '<n>', 'number', "records in the IOMMU's queue of faults, a power of two"),
  option('pagesPerJob', '--pages-per-job', '<n>', 'number', 'pages that a job touches'),
  option('groupPages', '--group-pages', '<n>', 'number', 'pages that an endpoint asks for in one group; vtd and amd'),
  option('atc', '--atc', '', 'flag', 'endpoints keep translations, which unmapping invalidates; vtd and amd'),
  option(
    'misbehave',
    '--misbehave',
    '<switch>',
    'word',
    `one more device, which misbehaves; vtd and amd: ${MISBEHAVIOURS.join(', ')}`,
  ),
  option('handlers', '--handlers', '<n>', 'number', 'handler threads, or readers of the fault file'),
  option(
    'credits',
    '--credits',
    '<n>',
    'number',
    'adaptive: faults of jobs under way; further jobs wait; 0 = none does',
  ),
  option('maxActive', '--max-active', '<n>', 'number', "the work queue's limit on groups in work"),
  option(
    'scanner',
    '--scanner',
    '<ms>',
    'number',
    'milliseconds in which the page scanner goes once round all pages; 0 = off',
  ),
  option('compareScanner', '--compare-scanner', '', 'flag', 'measure once more with the page scanner off'),
  option('spins', '--spins', '<n>', 'number', 'how often a lock looks again before it sleeps'),
  option('timeoutMs', '--timeout-ms', '<ms>', 'number', "the device's limit on one access"),
  option('seed', '--seed', '<n>', 'number', 'seed of the order in which generations take turns'),
  option('threadsPerWorker', '--threads-per-worker', '<n>', 'number', 'device threads packed into one worker'),
  option('stallMax', '--stall-max', '<n>', 'number', 'transactions a device may hold stalled'),
  option('sharing', '--sharing', '<how>', 'word', 'counters: split (per thread) or shared'),
  option('replaceEveryMs', '--replace-ms', '<ms>', 'number', 'replace domains under load this often; 0 = never'),
  option('lightFlush', '--light-flush', '', 'flag', "on replace, flush only the old domain's groups"),
  option(
    'stages',
    '--stages',
    '',
    'flag',
    'measure what each stage of a fault takes, on one page in eight; not with iommufd',
  ),
  option(
    'handler',
    '--handler',
    '<which>',
    'word',
    'sva (populates pages), iommufd (the same in user space, through the fault file) or noop (answers at once)',
  ),
];

export function addParameterOptions(command: Command): void {
  for (const { flag, argument, kind, help } of PARAMETER_OPTIONS) {
    const added = new Option(argument ? `${flag} ${argument}` : flag, help);
    if (kind !== 'flag') added.argParser((text: string) => readValue(kind, text));
    if (flag === '--faults') added.conflicts('seconds');
    command.addOption(added);
    if (flag === '--compare-scanner') command.addOption(new Option('--no-compare-scanner', 'do not'));
  }
}

/** The parameters among commander's values, those that were given alone. */
export function givenParameters(values: Record<string, unknown>): Partial<Record<ParameterName, unknown>> {
  const given: Partial<Record<ParameterName, unknown>> = {};
  for (const { field, flag } of PARAMETER_OPTIONS) {
    const value = values[attributeOf(flag)];
    if (value !== undefined) given[field] = value;
  }
  return given;
}

/** @returns the option that sets a parameter. */
export function flagOf(field: string): string | undefined {
  return PARAMETER_OPTIONS.find((each) => each.field === field)?.flag;
}

function attributeOf(flag: string): string {
  return flag.slice(2).replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** What is no number stays text: the schema refuses it and shows it as it was typed. */
function readValue(kind: Kind, text: string): unknown {
  if (text === '') throw new InvalidArgumentError('It is empty.');
  const number = (part: string): unknown => (/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(part) ? Number(part) : part);
  if (kind === 'word') return text;
  if (kind === 'number') return number(text);
  const parts = text.split(',').map((part) => part.trim());
  return kind === 'words' ? parts : parts.map(number);
}
