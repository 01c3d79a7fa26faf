/** One word of shell, whatever is in it. */
export function quote(value: string): string {
  return `'${value.replaceAll("'", "'\\''")}'`;
}
