/** Completion scripts for shells, made from the commands themselves. */
import type { Command } from "commander";
import { UsageError } from "./exit-code.ts";
import { print } from "./terminal.ts";

/** What may follow the words of a command. */
interface Choice {
  /** The command's words, "" for copse alone. */
  readonly words: string;
  readonly next: readonly { readonly word: string; readonly description: string }[];
}

export function printCompletion(program: Command, shell: string): void {
  const choices = choicesOf(program, "");
  switch (shell) {
    case "bash":
      return print(bash(choices));
    case "zsh":
      return print(`#compdef copse\nautoload -U +X bashcompinit && bashcompinit\n${bash(choices)}`);
    case "fish":
      return print(fish(choices));
    default:
      throw new UsageError("completion: the shell is bash, zsh or fish");
  }
}

function choicesOf(command: Command, words: string): readonly Choice[] {
  const shown = command.createHelp();
  const next = [
    ...shown.visibleCommands(command).map((one) => ({ word: one.name(), description: one.description() })),
    ...shown.visibleOptions(command).map((option) => ({ word: option.long ?? option.flags, description: option.description })),
  ];
  const below = command.commands.flatMap((one) => choicesOf(one, words === "" ? one.name() : `${words} ${one.name()}`));
  return [{ words, next }, ...below];
}

function bash(choices: readonly Choice[]): string {
  const known = choices.map(({ words }) => words.replaceAll(" ", "+")).join(" ");
  const cases = choices.map(({ words, next }) => `    "${words}") next="${next.map(({ word }) => word).join(" ")}" ;;`);
  return `_copse() {
  local words="" next="" word known=" ${known} "
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$known" in
      *" \${words:+\${words// /+}+}$word "*) words="\${words:+$words }$word" ;;
    esac
  done
  case "$words" in
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$next" -- "\${COMP_WORDS[COMP_CWORD]}"))
  [ \${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _copse copse`;
}

function fish(choices: readonly Choice[]): string {
  const lines = choices.flatMap(({ words, next }) => {
    const last = words.split(" ").at(-1)!;
    const when = words === "" ? "__fish_use_subcommand" : `__fish_seen_subcommand_from ${last}`;
    return next.map(({ word, description }) => {
      const what = word.startsWith("--") ? `-l ${word.slice(2)}` : `-a ${word}`;
      return `complete -c copse -n "${when}" ${what} -d ${quoted(description)}`;
    });
  });
  return lines.join("\n");
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
