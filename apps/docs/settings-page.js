/** The page of all settings, from the table that makes the flags. `node settings-page.js` writes it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { flagOf, groups, settings } from "../cli/dist/settings.js";

export const settingsPage = join("operating", "configuration.md");

const text = (value) => String(value).replaceAll("|", "\\|");

/** @returns the page's text */
export function settingsText() {
  const lines = [
    "# Configuration",
    "",
    "Every setting is a flag of `copse serve`, a member of the JSON file that `--config` names, or both. A flag wins over the file. In the file a name is the flag's in camelCase: `--trust-proxy` is `trustProxy`. A name that is not",
    "known, or a value of another kind, is an error, and nothing starts. `copse check-config FILE` reads a file as a start would, `copse config-schema` prints its JSON schema for editors. For settings with ↻, the files that they",
    "name are read again on SIGHUP and when they change; another path needs a restart. `logLevel` is read again from the `--config` file if no flag sets it, and the audit log is opened anew. Everything else needs a restart.",
  ];
  for (const [group, title] of Object.entries(groups)) {
    lines.push("", `## ${title}`, "", "| in the file | flag | meaning | default |", "| --- | --- | --- | --- |");
    for (const setting of settings.filter((one) => one.group === group)) {
      const flag = setting.value === null ? "" : `\`${text(flagOf(setting))}\``;
      const choices = setting.choices === undefined ? "" : ` (${setting.choices.join(", ")})`;
      const words = `${text(setting.words)}${choices}${setting.isReloaded ? " ↻" : ""}`;
      lines.push(`| \`${setting.name}\` | ${flag} | ${words} | ${text(setting.default)} |`);
    }
    for (const { name, members } of settings.filter((one) => one.group === group && one.members !== undefined)) {
      lines.push("", `### ${name}`, "", "| name | default |", "| --- | --- |");
      for (const [member, value] of Object.entries(members)) lines.push(`| \`${member}\` | ${text(value)} |`);
    }
  }
  return `${lines.join("\n")}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(join(import.meta.dirname, settingsPage), settingsText());
