/**
 * A span of OpenTelemetry for each request, where the process has an SDK (`node --import …`): without one nothing is done, and nothing costs.
 *
 * A span begins when the request's frame arrived, and ends with its answer.
 */

import type { Tally } from "@copse/replica";
import { isSpanContextValid, SpanKind, trace } from "@opentelemetry/api";
import { version } from "../version.ts";

export function spanRequests(tally: Tally, member: string): void {
  const tracer = trace.getTracer("@copse/server", version);
  const serving = tracer.startSpan("copse serving", { attributes: { "copse.member": member } });
  serving.end();
  if (!isSpanContextValid(serving.spanContext())) return;
  tally.listener = (op, ms) => {
    const end = Date.now();
    const attributes = { "copse.member": member, "db.system.name": "copse", "db.operation.name": op };
    tracer.startSpan(`copse ${op}`, { kind: SpanKind.SERVER, startTime: end - ms, attributes }).end(end);
  };
}
