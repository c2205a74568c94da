export * from './command.ts';
export { COMMANDS } from './commands.ts';
export * from './context.ts';
export * from './ioctl.ts';
