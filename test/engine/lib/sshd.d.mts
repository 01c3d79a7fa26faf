/** Types of sshd.mjs, for tests in TypeScript. */
export interface Sshd {
  readonly connection: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly privateKey: string;
    readonly hostKey: string;
  };
  changeHostKey(): Promise<string>;
  close(): Promise<void>;
}
export function startSshd(): Promise<Sshd>;
