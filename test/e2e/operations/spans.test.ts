/** Spans of OpenTelemetry: of a client's calls, and of the requests of a hub that was started with an SDK. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { connect } from "@copse/client";
import { traced } from "@copse/client/opentelemetry";
import { SpanStatusCode } from "@opentelemetry/api";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { afterEach, expect, it } from "vitest";
import { temporaryFolder } from "../../support/hub.ts";
import { freePort, killAll, serve, serveBy, until } from "../../support/processes.ts";

afterEach(killAll);

it("a client's calls have one each, with path and outcome", { timeout: 60_000 }, async () => {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const hub = await serve(temporaryFolder("spans"), await freePort(), "--log-level", "warn");
  const client = await connect(hub.url);
  const copse = traced(client, provider.getTracer("test"));
  await copse.create("/spanned", "x");
  expect((await copse.get("/spanned")).data).toBe("x");
  await expect(copse.delete("/none")).rejects.toMatchObject({ code: "NO_NODE" });
  expect([copse.state, copse.sessionId]).toEqual(["connected", client.sessionId]);
  const spans = exporter.getFinishedSpans();
  expect(spans.map(({ name, attributes, status }) => [name, attributes["copse.path"], status.code, status.message])).toEqual([
    ["copse create", "/spanned", SpanStatusCode.UNSET, undefined],
    ["copse get", "/spanned", SpanStatusCode.UNSET, undefined],
    ["copse delete", "/none", SpanStatusCode.ERROR, "NO_NODE"],
  ]);
  await copse.close();
});

it("a hub that is started with an SDK makes one for each request", { timeout: 60_000 }, async () => {
  const folder = temporaryFolder("sdk");
  const out = `${folder}/spans`;
  const require = createRequire(import.meta.url);
  const [api, sdk] = ["@opentelemetry/api", "@opentelemetry/sdk-trace-base"].map((name) => pathToFileURL(require.resolve(name)).href);
  writeFileSync(
    `${folder}/sdk.mjs`,
    `import { appendFileSync } from "node:fs";
import api from ${JSON.stringify(api)};
import sdk from ${JSON.stringify(sdk)};
const exporter = {
  export: (spans, done) => {
    for (const { name, kind, startTime, endTime } of spans) appendFileSync(${JSON.stringify(out)}, JSON.stringify({ name, kind, startTime, endTime }) + "\\n");
    done({ code: 0 });
  },
  shutdown: async () => {},
};
api.trace.setGlobalTracerProvider(new sdk.BasicTracerProvider({ spanProcessors: [new sdk.SimpleSpanProcessor(exporter)] }));
`,
  );
  const hub = await serveBy(["--import", `${folder}/sdk.mjs`], `${folder}/data`, await freePort(), "--log-level", "warn");
  const client = await connect(hub.url);
  await client.create("/spanned");
  await client.get("/spanned");
  await until(async () => existsSync(out) && readFileSync(out, "utf8").includes("copse get"));
  const spans = readFileSync(out, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { name: string; kind: number; startTime: [number, number]; endTime: [number, number] });
  // The client asks for the configuration, too.
  expect([...new Set(spans.map(({ name }) => name))].sort()).toEqual(["copse connect", "copse create", "copse get", "copse serving"]);
  for (const { startTime, endTime } of spans)
    expect(endTime[0] - startTime[0] + (endTime[1] - startTime[1]) / 1e9).toBeGreaterThanOrEqual(0);
  await client.close();
});
