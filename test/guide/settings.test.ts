/** The guide's page of settings, and the schema of the file, are those of the table that makes the flags. */
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { settingsPage, settingsText } from "../../apps/docs/settings-page.js";
import { temporaryFolder } from "../support/hub.ts";
import { command, root } from "../support/processes.ts";

it("the page says what the command takes: node apps/docs/settings-page.js writes it", () => {
  expect(readFileSync(join(root, "apps/docs", settingsPage), "utf8")).toBe(settingsText());
});

interface Schema {
  readonly properties: Readonly<Record<string, { readonly type: string; readonly enum?: readonly string[] }>>;
}

it("the schema has each setting that a file may hold, and no other", () => {
  const schema = JSON.parse(execFileSync(process.execPath, [command, "config-schema"], { encoding: "utf8" })) as Schema;
  const file = join(temporaryFolder("schema"), "copse.json");
  const check = (settings: object): string => {
    writeFileSync(file, JSON.stringify(settings));
    const { status, stdout, stderr } = spawnSync(process.execPath, [command, "check-config", file], { encoding: "utf8" });
    return `${status} ${stdout}${stderr}`;
  };
  // A value of no kind is refused for its kind where the name is known.
  for (const name of Object.keys(schema.properties))
    expect([name, check({ [name]: null })]).toEqual([name, expect.stringMatching(/^2 .*must be/)]);
  expect(check({ unknown: 1 })).toMatch(/^2 .*there is no such setting/);
  expect(check({ logLevel: "loud" })).toMatch(/^2 .*must be one of trace, debug/);
  expect(schema.properties["logLevel"]?.enum).toContain("debug");
  const help = execFileSync(process.execPath, [command, "serve", "--help"], { encoding: "utf8" });
  const flags = [...help.matchAll(/^ {2}--([a-z-]+)/gm)].map(([, name]) =>
    name!.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase()),
  );
  expect(flags.filter((name) => name !== "config" && !Object.hasOwn(schema.properties, name))).toEqual([]);
});
