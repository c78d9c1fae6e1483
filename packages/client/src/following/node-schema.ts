/**
 * Typed znodes: a path, and what its data means.
 *
 * The data is JSON, checked by any Standard Schema (zod, valibot, arktype …) where one is given.
 */
import { CopseError } from "../errors.ts";

/** What we need of https://standardschema.dev, version 1. */
export interface StandardSchema<T> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<T> | Promise<SchemaResult<T>>;
    readonly types?: { readonly input: unknown; readonly output: T } | undefined;
  };
}

type SchemaResult<T> = { readonly value: T; readonly issues?: undefined } | { readonly issues: readonly { readonly message: string }[] };

export interface NodeDefinition<T> {
  readonly path: string;
  /** Reads the data of a znode. @throws CopseError SCHEMA */
  parse(data: string | null): T;
  /** Checks and writes a value. @throws CopseError SCHEMA */
  format(value: T): string;
}

/**
 * Defines a znode that holds JSON. The schema has to be synchronous.
 * @example
 * const limits = defineNode<{ limit: number }>("/app/limits");
 * await copse.update(limits, (value = { limit: 20 }) => ({ limit: value.limit + 1 }));
 */
export function defineNode<T = unknown>(path: string, schema?: StandardSchema<T>): NodeDefinition<T> {
  const check = (value: unknown): T => {
    if (schema === undefined) return value as T;
    const result = schema["~standard"].validate(value);
    if (result instanceof Promise) throw new TypeError("defineNode needs a synchronous schema");
    if (result.issues === undefined) return result.value;
    throw new CopseError("SCHEMA", result.issues[0]?.message ?? "does not fit the schema", { path, issues: result.issues });
  };
  return {
    path,
    parse: (data) => {
      if (data === null) throw new CopseError("SCHEMA", "the znode has no text data", { path });
      let parsed: unknown;
      try {
        parsed = JSON.parse(data);
      } catch {
        throw new CopseError("SCHEMA", "the data is not JSON", { path });
      }
      return check(parsed);
    },
    format: (value) => JSON.stringify(check(value)),
  };
}

/**
 * A znode that holds plain text.
 * @example const { value } = await copse.get(textNode("/app/title"));
 */
export function textNode(path: string): NodeDefinition<string> {
  return { path, parse: (data) => data ?? "", format: (value) => value };
}
