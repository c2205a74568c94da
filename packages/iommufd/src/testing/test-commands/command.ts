// The command itself: finds the operation, and hands the union to it as a struct of its own.
import { IommuError } from '@faultline/core/errors';
import type { AnyCommand, Command, Ucmd } from '../../context/index.ts';
import { type Args, decodeStruct, encodeOutputs, encodeStruct, type Struct } from '../../uapi/index.ts';
import { TEST_CMD } from './layout.ts';

/** What an operation's struct has besides. */
export interface TestStruct extends Struct {
  readonly op: number;
}

/** An operation: a command behind the command. */
export interface TestOp extends AnyCommand {
  readonly struct: TestStruct;
}

const WORDS = ['word0', 'word1', 'word2', 'word3', 'word4', 'word5'] as const;
const UNION = TEST_CMD.fields.word0[1];

/** @throws IommuError by the operation; EOPNOTSUPP there is none of that number. */
export function testCommand(ops: readonly TestOp[]): Command<typeof TEST_CMD> {
  const byNumber = new Map(ops.map((op) => [op.struct.op, op]));
  return {
    struct: TEST_CMD,
    run(context, raw) {
      const found = byNumber.get(raw.args.op);
      if (found === undefined) throw new IommuError('EOPNOTSUPP', 'TEST_CMD', 'op', raw.args.op, 'is not known');
      const view = new DataView(new ArrayBuffer(TEST_CMD.bytes));
      encodeStruct(TEST_CMD, raw.args, view);
      const args = decodeStruct(found.struct as Struct, view);
      const ucmd: Ucmd<Struct> = {
        caller: raw.caller,
        args,
        result: 0,
        respond() {
          encodeOutputs(found.struct as Struct, args, view);
          writeUnion(raw.args, view);
          raw.respond();
        },
      };
      (found as Command).run(context, ucmd);
      raw.result = ucmd.result;
    },
  };
}

function writeUnion(args: Args<typeof TEST_CMD>, view: DataView): void {
  WORDS.forEach((word, i) => {
    args[word] = view.getBigUint64(UNION + 8 * i, true);
  });
}
