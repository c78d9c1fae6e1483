/**
 * hash-password: what a configuration may hold in a password's place.
 */
import { text } from "node:stream/consumers";
import { hashPassword } from "@copse/server";
import { UsageError } from "./exit-code.ts";
import { note, print } from "./terminal.ts";

const passwordUnitsMin = 8;

export async function printPasswordHash(): Promise<void> {
  if (process.stdin.isTTY) note("Type the password, then Enter and Ctrl-D; or pipe it in:");
  const password = (await text(process.stdin)).replace(/\r?\n$/, "");
  if (password.length < passwordUnitsMin) throw new UsageError(`the password has to have at least ${passwordUnitsMin} characters`);
  print(await hashPassword(password));
}
