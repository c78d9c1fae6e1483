/**
 * `pnpm raft-scripts DIR`: runs scripts in the format of etcd's raft library on our core, whatever is in the folder.
 *
 * It prints each block that differs and ends with `N matched, M differ`. The core's own log lines are no part of the
 * comparison; where nothing else was expected, that counts as `ok`.
 */
import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { Changer, committedBy, jointCommitted, jointVoteResult, MembershipError, noMembers, voteResult, votersOf } from "@copse/raft";
import { describeAllProgress, describeMembers } from "./describe.js";
import { Environment, parseChanges } from "./environment.js";

/** Splits a script into its blocks: directive, arguments, input lines, expected lines. */
export function parseScript(text) {
  const lines = text.split("\n");
  const blocks = [];
  for (let at = 0; at < lines.length; at++) {
    if (lines[at].trim() === "" || lines[at].startsWith("#")) continue;
    const line = at + 1;
    const directive = lines[at];
    const input = [];
    for (at++; at < lines.length && lines[at] !== "----"; at++) input.push(lines[at]);
    const expected = [];
    for (at++; at < lines.length && lines[at] !== ""; at++) expected.push(lines[at]);
    const [name, ...words] = directive
      .replace(/\(\s*([^)]*?)\s*\)/g, (_, list) => `(${list.replace(/\s*,\s*/g, ",")})`)
      .trim()
      .split(/\s+/);
    blocks.push({ line, directive, name, args: words.map(parseArgument), input, expected });
  }
  return blocks;
}

function parseArgument(word) {
  const equals = word.indexOf("=");
  if (equals < 0) return { key: word, values: null };
  const value = word.slice(equals + 1);
  const list = value.startsWith("(")
    ? value
        .slice(1, -1)
        .split(",")
        .filter((item) => item !== "")
    : [value];
  return { key: word.slice(0, equals), values: list };
}

const values = (args, key) => args.find((arg) => arg.key === key)?.values;

function parseVoters(list) {
  return new Set((list ?? []).filter((item) => item !== "zero").map(Number));
}

function quorumBlock({ name, args }) {
  const isJoint = values(args, "cfgj") !== undefined;
  const voters = [parseVoters(values(args, "cfg")), parseVoters(values(args, "cfgj"))];
  const inOrder = [...new Set([...(values(args, "cfg") ?? []), ...(values(args, "cfgj") ?? [])].filter((id) => id !== "zero").map(Number))];
  const given = values(args, name === "vote" ? "votes" : "idx") ?? [];
  const byMember = new Map(inOrder.map((member, at) => [member, given[at]]).filter(([, value]) => value !== undefined && value !== "_"));
  if (name === "vote") {
    const votes = new Map([...byMember].map(([member, vote]) => [member, vote === "y"]));
    const result = isJoint ? jointVoteResult(voters, votes) : voteResult(voters[0], votes);
    return { won: "VoteWon", lost: "VoteLost", pending: "VotePending" }[result];
  }
  const acked = (member) => (byMember.has(member) ? Number(byMember.get(member)) : undefined);
  const index = isJoint ? jointCommitted(voters, acked) : committedBy(voters[0], acked);
  return `${plot(votersOf(voters), acked)}${index === Number.POSITIVE_INFINITY ? "∞" : index}`;
}

/** The acknowledged indexes as bars: the longer, the more members are behind. */
function plot(members, acked) {
  if (members.length === 0) return "<empty majority quorum>";
  const sorted = members
    .map((member) => ({ member, index: acked(member) ?? 0, bar: 0 }))
    .sort((a, b) => a.index - b.index || a.member - b.member);
  for (const [at, item] of sorted.entries()) if (at > 0) item.bar = sorted[at - 1].index < item.index ? at : sorted[at - 1].bar;
  sorted.sort((a, b) => a.member - b.member);
  const lines = sorted.map(({ member, index, bar }) => {
    const mark = acked(member) === undefined ? `?${" ".repeat(members.length)}` : `${"x".repeat(bar)}>${" ".repeat(members.length - bar)}`;
    return `${mark} ${String(index).padStart(5)}    (id=${member})\n`;
  });
  return `${" ".repeat(members.length)}    idx\n${lines.join("")}`;
}

function membershipScript() {
  let members = noMembers;
  let lastIndex = 0;
  const kinds = { v: "add-voter", l: "add-learner", r: "remove", u: "update" };
  return ({ name, args, input }) => {
    const changer = new Changer(members, lastIndex++, { countMax: 10, bytesMax: 0 });
    const changes = parseChanges(input).map(({ letter, member }) => ({ kind: kinds[letter], member }));
    try {
      if (name === "simple") members = changer.simple(changes);
      else if (name === "enter-joint") members = changer.enterJoint(values(args, "autoleave")?.[0] === "true", changes);
      else members = changer.leaveJoint();
    } catch (error) {
      if (error instanceof MembershipError) return error.message;
      throw error;
    }
    return `${describeMembers(members)}\n${describeAllProgress(members)}`;
  };
}

/** What is compared: without log lines of the core, `ok` for nothing. */
function comparable(lines) {
  const kept = lines.filter((line) => !/^\s*(DEBUG|INFO|WARN|ERROR)\b/.test(line));
  while (kept.length > 0 && kept[kept.length - 1] === "") kept.pop();
  return kept.length === 0 ? "ok" : kept.join("\n");
}

function runnerFor(blocks) {
  const names = new Set(blocks.map(({ name }) => name));
  if (names.has("vote") || names.has("committed")) return quorumBlock;
  if (names.has("simple") || names.has("enter-joint") || names.has("leave-joint")) return membershipScript();
  const environment = new Environment();
  return (block) => environment.run(block);
}

/** Runs one script. Gives how many blocks matched, and those that differ. */
export function runScript(text) {
  const blocks = parseScript(text);
  const run = runnerFor(blocks);
  const differing = [];
  for (const block of blocks) {
    let actual;
    try {
      actual = comparable(run(block).split("\n"));
    } catch (error) {
      actual = `failed: ${error.stack}`;
    }
    const expected = comparable(block.expected);
    if (actual !== expected) differing.push({ line: block.line, directive: block.directive, expected, actual });
  }
  return { matched: blocks.length - differing.length, differing };
}

export function scriptsIn(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".txt"))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function main(folder) {
  let matched = 0;
  let differ = 0;
  for (const file of scriptsIn(folder)) {
    const result = runScript(readFileSync(file, "utf8"));
    matched += result.matched;
    differ += result.differing.length;
    for (const { line, directive, expected, actual } of result.differing) {
      console.log(`${relative(folder, file) || basename(file)}:${line}: ${directive}\n--- expected\n${expected}\n--- actual\n${actual}\n`);
    }
  }
  console.log(`${matched} matched, ${differ} differ`);
  process.exitCode = differ === 0 && matched > 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main(process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), "../../../shared/oracles/etcd-raft"));
}
