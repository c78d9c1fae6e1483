/** The types of scripts.js, for the tests that run it. */
export interface ScriptResult {
  readonly matched: number;
  readonly differing: readonly { readonly line: number; readonly directive: string; readonly expected: string; readonly actual: string }[];
}
export function runScript(text: string): ScriptResult;
export function scriptsIn(folder: string): string[];
