/**
 * The file of `--config`: settings by the flags' names in camelCase, and what has no flag.
 *
 * It is strict: a name that is not known, or a value of another kind, is an error that says where it stands and, where a name is only
 * spelled otherwise, what it should be. A setting that is ignored would be worse than one that is refused.
 */
import { existsSync, readFileSync } from "node:fs";
import { UsageError } from "./exit-code.ts";
import { type Kind, type Setting, settingOf, settings } from "./settings.ts";

const said: Readonly<Record<Kind, string>> = {
  text: "text",
  texts: "an array of texts",
  flag: "true or false",
  number: "a positive integer",
  numbers: "an object of positive numbers",
  object: "an object",
};

/** @throws UsageError where there is no such file, or naming the setting that is wrong */
export function readConfigFile(file: string): Record<string, unknown> {
  if (!existsSync(file)) throw new UsageError(`there is no ${file}`);
  let config: unknown;
  try {
    config = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    throw new UsageError(`${file} is not JSON`);
  }
  if (!isObject(config)) throw new UsageError(`${file}: must be an object`);
  for (const [name, value] of Object.entries(config)) {
    const setting = settingOf(name);
    if (setting === null) throw new UsageError(`${file}: ${name}: there is no such setting${meant(name)}`);
    if (!fits(value, setting.kind)) throw new UsageError(`${file}: ${name}: must be ${said[setting.kind]}`);
    if (!isChosen(value, setting)) throw new UsageError(`${file}: ${name}: must be one of ${setting.choices!.join(", ")}`);
  }
  return config;
}

function fits(value: unknown, kind: Kind): boolean {
  switch (kind) {
    case "text":
      return typeof value === "string";
    case "texts":
      return Array.isArray(value) && value.every((one) => typeof one === "string");
    case "flag":
      return typeof value === "boolean";
    case "number":
      return Number.isSafeInteger(value) && (value as number) > 0;
    case "numbers":
      return isObject(value) && Object.values(value).every((one) => typeof one === "number" && one > 0);
    case "object":
      return isObject(value);
  }
}

function isChosen(value: unknown, { choices }: Setting): boolean {
  return choices === undefined || choices.includes(value as string);
}

/** The setting that a name with dashes, or in other letters, means. */
function meant(name: string): string {
  const plain = (text: string): string => text.replace(/[^a-z0-9]/gi, "").toLowerCase();
  const right = settings.map(({ name: known }) => known).find((known) => plain(known) === plain(name));
  return right === undefined ? "" : `; it is ${right}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
