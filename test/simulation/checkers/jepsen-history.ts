/**
 * Histories of one register as Jepsen prints them: `INFO  jepsen.util - PROCESS :invoke|:ok|:fail|:info OP VALUE`.
 *
 * A failed cas is a definite no, and so is any other failure; what timed out may have taken effect, or may still.
 */
import type { RegisterOperation, RegisterState } from "./linearizability.ts";

interface Invoked {
  readonly at: number;
  readonly op: string;
  readonly value: string;
}

const line = /jepsen\.util - (\d+)\s+:(invoke|ok|fail|info)\s+:(read|write|cas)\s+(.*)$/;

export function parseJepsenHistory(text: string): RegisterOperation[] {
  const operations: RegisterOperation[] = [];
  const open = new Map<string, Invoked>();
  for (const [at, row] of text.split("\n").entries()) {
    const found = line.exec(row.trimEnd());
    if (found === null) continue;
    const [, process = "", phase, op = "", value = ""] = found;
    const invoked = open.get(process);
    if (phase === "invoke") {
      if (invoked !== undefined) operations.push(...unknown(invoked));
      open.set(process, { at, op, value });
      continue;
    }
    if (invoked === undefined) throw new Error(`line ${at + 1}: process ${process} ends what it has not begun`);
    open.delete(process);
    if (phase === "ok") operations.push(known(invoked, at, value));
    else if (phase === "info") operations.push(...unknown(invoked));
    // What failed did not happen; a cas that failed has also seen that the register held something else.
    else if (op === "cas") operations.push(cas(invoked, at, false));
  }
  for (const invoked of open.values()) operations.push(...unknown(invoked));
  return operations;
}

function known(invoked: Invoked, at: number, value: string): RegisterOperation {
  const times = { calledAt: invoked.at, returnedAt: at };
  if (invoked.op === "read") return { kind: "read", saw: registerState(value), ...times };
  if (invoked.op === "write") return { kind: "write", value: registerState(invoked.value), ...times };
  return cas(invoked, at, true);
}

function cas({ at, value }: Invoked, returnedAt: number, outcome: boolean | null): RegisterOperation {
  const found = /^\[(\S+)\s+(\S+)\]/.exec(value);
  if (found === null) throw new Error(`line ${at + 1}: a cas without its two values`);
  return { kind: "cas", from: registerState(found[1]!), to: registerState(found[2]!), outcome, calledAt: at, returnedAt };
}

function unknown(invoked: Invoked): RegisterOperation[] {
  if (invoked.op === "read") return [];
  if (invoked.op === "cas") return [cas(invoked, Number.POSITIVE_INFINITY, null)];
  return [{ kind: "write", value: registerState(invoked.value), calledAt: invoked.at, returnedAt: Number.POSITIVE_INFINITY }];
}

function registerState(text: string): RegisterState {
  return text.trim() === "nil" ? null : text.trim();
}
