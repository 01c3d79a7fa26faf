/** Types of stack.mjs, for tests in TypeScript. */
export interface OpenProject {
  readonly dir: string;
  /** Of every command that runs in it. */
  readonly env: Record<string, string>;
  /** Requests that a provider made of an outside host. */
  readonly outside: readonly string[];
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<string>;
  close(): Promise<void>;
}
export const packages: string;
export function openProject(options: {
  readonly enginePath: string;
  readonly files: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
}): Promise<OpenProject>;
export function freePort(): Promise<number>;
