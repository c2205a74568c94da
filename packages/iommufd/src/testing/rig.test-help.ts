// What tests of calls start from: one process, one context, mock devices.
import { expect } from 'vitest';
import type { ProcessMemory } from '../caller/index.ts';
import { type AnyCommand, COMMANDS, type Command, type Context, callCommand, openContext } from '../context/index.ts';
import { bindDevice } from '../device/index.ts';
import { type Args, DESTROY, type Struct } from '../uapi/index.ts';
import { createMockLab, type MockLab, type MockLabConfig, openMockLab } from './mock-lab.ts';

export interface Rig {
  readonly lab: MockLab;
  readonly context: Context;
  readonly memory: ProcessMemory;
  /** Calls an ioctl of that struct. */
  call<S extends Struct>(struct: S, args?: Partial<Args<S>>): Args<S>;
  /** The errno's name that a call is refused with, and the field that it names. */
  refusal<S extends Struct>(struct: S, args?: Partial<Args<S>>): string;
  destroy(id: number): void;
  /** Makes a mock device and binds it. @returns its id. */
  bind(device: number, flags?: number): number;
  /** Closes the context, and asks for everything back. */
  expectNothingLeft(): void;
}

export function makeRig(config: MockLabConfig = {}, commands: readonly AnyCommand[] = COMMANDS): Rig {
  const lab = openMockLab(createMockLab(config));
  const context = openContext(lab.machine);
  const caller = lab.caller(1);
  const call = <S extends Struct>(struct: S, args: Partial<Args<S>> = {}): Args<S> => {
    const command = commands.find((each) => each.struct === (struct as Struct)) as Command<S> | undefined;
    if (command === undefined) throw new Error(`no command ${struct.name}`);
    return callCommand(context, caller, command, args);
  };
  return {
    lab,
    context,
    memory: lab.processes[0],
    call,
    refusal: (struct, args) => refusalOf(() => call(struct, args)),
    destroy: (id) => void call(DESTROY, { id }),
    bind(device, flags = 0) {
      lab.driver.addDevice(device, flags);
      return bindDevice(context, device);
    },
    expectNothingLeft() {
      context.put();
      expect(lab.machine.live()).toEqual(Object.fromEntries(Object.keys(lab.machine.live()).map((name) => [name, 0])));
      expect(lab.ram.pinned()).toBe(0);
      expect(lab.driver.pages.used()).toBe(0);
    },
  };
}

/** `ENOENT ioas_id`: the errno's name and the field of a refusal; '' when nothing was refused. */
export function refusalOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    const { code, field } = error as { readonly code?: string; readonly field?: string };
    if (code === undefined) throw error;
    return `${code} ${field}`;
  }
  return '';
}
