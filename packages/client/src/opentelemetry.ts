/** Spans of OpenTelemetry for a client's calls: `@opentelemetry/api` alone, so that without an SDK nothing is recorded. */
import { SpanKind, SpanStatusCode, type Tracer, trace } from "@opentelemetry/api";
import type { Copse } from "./client.ts";
import { isCopseError } from "./errors.ts";

/** The calls that ask a server. */
const asking: ReadonlySet<PropertyKey> = new Set<keyof Copse>([
  "get",
  "exists",
  "children",
  "read",
  "create",
  "set",
  "delete",
  "multi",
  "update",
  "getAcl",
  "setAcl",
  "count",
  "ephemerals",
  "sync",
]);

/**
 * Wraps a client so that each call makes a span. A span ends when the call's promise settles, so it includes retries and reconnects. If the
 * call fails, the span has the error and its code.
 * @param tracer where the spans go; by default that of the SDK that is there
 * @example
 * await traced(copse).create("/traced", "a span named copse create");
 */
export function traced(copse: Copse, tracer: Tracer = trace.getTracer("@copse/client")): Copse {
  return new Proxy(copse, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      if (!asking.has(name)) return value.bind(target) as unknown;
      return (...args: readonly unknown[]) => spanned(tracer, String(name), args, () => value.apply(target, args) as Promise<unknown>);
    },
  });
}

async function spanned(tracer: Tracer, op: string, [first]: readonly unknown[], call: () => Promise<unknown>): Promise<unknown> {
  const path = typeof first === "string" ? { "copse.path": first } : {};
  const attributes = { "db.system.name": "copse", "db.operation.name": op, ...path };
  return tracer.startActiveSpan(`copse ${op}`, { kind: SpanKind.CLIENT, attributes }, async (span) => {
    try {
      return await call();
    } catch (error) {
      span.recordException(error as Error);
      span.setStatus({ code: SpanStatusCode.ERROR, message: isCopseError(error) ? error.code : String(error) });
      throw error;
    } finally {
      span.end();
    }
  });
}
