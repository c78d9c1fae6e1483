/**
 * The commands member, drain and hash: they show the members, change them, and compare their trees.
 */
import { type Copse, isCopseError, type MemberStats, type MemberWanted, type ShownMember } from "@copse/client";
import { UsageError } from "../exit-code.ts";
import { print, printTable, type Shared, withClient } from "../terminal.ts";

export interface AddFlags {
  readonly peer: string;
  readonly clientUrl?: string;
  readonly observer?: boolean;
  readonly hubPeer?: string;
}

/** The default peer port of a hub that was alone is this much above its clients' port. */
const peerPortStep = 100;
const retryMs = 300;
const attemptsMax = 20;

export async function listMembers(shared: Shared): Promise<void> {
  await withClient(shared, { readOnly: true }, async (client) => {
    const ensemble = await client.ensemble();
    if (shared.output === "json") return print(JSON.stringify(ensemble));
    const stateOf = ({ state, drained }: ShownMember): string => (drained === true ? `${state}, drained` : state);
    const rows = ensemble.members.map((one) => [one.id, one.role, stateOf(one), String(one.zxid), one.url, one.peer || "–"]);
    const edges = (ensemble.edges ?? []).map(({ id, url, of, zxid }) => [id, "edge", "up", String(zxid), url, `follows ${of}`]);
    printTable([["id", "role", "state", "zxid", "clients", "peers"], ...rows, ...edges]);
  });
}

export async function addMember(id: string, { peer, clientUrl, observer, hubPeer }: AddFlags, shared: Shared): Promise<void> {
  await withClient(shared, {}, async (client) => {
    const before = await client.ensemble();
    const wanted: MemberWanted = {
      id,
      peer,
      role: observer === true ? "observer" : "voter",
      ...(clientUrl === undefined ? {} : { url: clientUrl }),
    };
    const deaf = before.members.filter((member) => member.peer === "" && member.id !== id);
    const add = [...deaf.map((member) => heard(member, hubPeer)), wanted];
    await reconfigure(client, { add });
    if (shared.output === "json") return print(JSON.stringify(await client.ensemble()));
    const peers = [...before.members.filter((member) => member.peer !== "" && member.id !== id), ...add].map(
      (member) => `${member.id}=${member.peer}`,
    );
    print(`added member ${id}. If it is not running yet, start it with the other members' settings (--peer-secret-file, certificates, --advertise, --trust-proxy) and:

  copse serve --id ${id} --listen HOST:PORT --peer-listen ${peer} --peers ${peers.join(",")} --join --data DIR

It ${observer === true ? "observes" : "votes"} once it has caught up: copse member list shows it.`);
  });
}

export async function removeMember(id: string, shared: Shared): Promise<void> {
  await withClient(shared, {}, async (client) => {
    await reconfigure(client, { remove: [id] });
    print(shared.output === "json" ? JSON.stringify(await client.ensemble()) : `removed member ${id}; its process can be stopped`);
  });
}

/** Makes a voter of an observer, or the other way round. */
export async function changeRole(id: string, role: "voter" | "observer", shared: Shared): Promise<void> {
  await withClient(shared, {}, async (client) => {
    await known(client, id);
    await reconfigure(client, { add: [{ id, role }] });
    const said = role === "voter" ? `member ${id} votes once it has caught up` : `member ${id} observes: it votes no more`;
    print(shared.output === "json" ? JSON.stringify(await client.ensemble()) : said);
  });
}

/** Has another member lead, and waits until it does. */
export async function handOver(wanted: string | undefined, shared: Shared): Promise<void> {
  await withClient(shared, {}, async (client) => {
    const { leader, members } = await client.ensemble();
    const others = members.filter(
      ({ id, role, state, drained }) => role === "follower" && state === "up" && drained !== true && id !== leader,
    );
    const lead = wanted ?? others.sort((a, b) => b.zxid - a.zxid)[0]?.id;
    if (lead === undefined) throw new Error("no other voter is up that takes clients");
    await reconfigure(client, { lead });
    const now = await settled(client, ({ leader: found }) => found === lead);
    print(shared.output === "json" ? JSON.stringify(now) : `member ${lead} leads`);
  });
}

/** Takes a member out of traffic, or back into it, and waits until it does not lead. */
export async function drain(id: string, isOff: boolean, shared: Shared): Promise<void> {
  await withClient(shared, {}, async (client) => {
    await known(client, id);
    await reconfigure(client, isOff ? { undrain: [id] } : { drain: [id] });
    const now = await settled(client, ({ leader }) => isOff || leader !== id);
    if (shared.output === "json") return print(JSON.stringify(now));
    print(isOff ? `member ${id} takes clients again` : `member ${id} is drained: its clients go elsewhere, and it can be stopped`);
  });
}

/** Each member's own figures, asked of each at the URL that it tells. */
export async function showMembers(shared: Shared): Promise<void> {
  let rows: readonly (readonly [ShownMember, MemberStats | string])[] = [];
  await withClient(shared, { readOnly: true }, async (client) => {
    const { members } = await client.ensemble();
    rows = await Promise.all(members.map(async (member) => [member, await statsOf(member, shared)] as const));
  });
  if (shared.output === "json") return print(JSON.stringify(rows.map(([member, stats]) => ({ ...member, stats }))));
  const shown = rows.map(([{ id, role, state }, stats]) => {
    if (typeof stats === "string") return [id, role, state, stats, "", "", "", "", ""];
    const { term, index, committed, zxid, sessions, connections, syncMsP99 } = stats;
    const numbers = [term, zxid, committed - index, connections, sessions].map(String);
    return [id, stats.role, state, ...numbers, syncMsP99 === null ? "–" : `${syncMsP99.toFixed(1)} ms`];
  });
  printTable([["id", "role", "state", "term", "zxid", "behind", "connections", "sessions", "sync p99"], ...shown]);
}

async function statsOf(member: ShownMember, shared: Shared): Promise<MemberStats | string> {
  try {
    let stats: MemberStats | string = "advertises no URL";
    if (member.url === "") return stats;
    await withClient({ ...shared, url: member.url }, { readOnly: true }, async (client) => {
      const found = await client.stats();
      stats = found.member === member.id ? found : `member ${found.member} answers at its URL`;
    });
    return stats;
  } catch (error) {
    return isCopseError(error) ? error.code : "does not answer";
  }
}

/** Compares the trees of all members; exit code 1 where they differ or one has not answered. */
export async function compareMembers(shared: Shared): Promise<void> {
  await withClient(shared, { readOnly: true }, async (client) => {
    const ensemble = await client.ensemble({ compare: true });
    const { members, comparedAt } = ensemble;
    const hashes = new Set(members.map(({ hash }) => hash));
    if (hashes.size > 1 || hashes.has(null)) process.exitCode = 1;
    if (shared.output === "json") return print(JSON.stringify(ensemble));
    printTable([["id", "hash"], ...members.map(({ id, hash }) => [id, hash ?? "did not answer"])]);
    const said = hashes.size > 1 ? "the members differ, or one did not answer" : "all members hold the same tree";
    print(`at zxid ${comparedAt}: ${said}`);
  });
}

async function known(client: Copse, id: string): Promise<void> {
  const { members } = await client.ensemble();
  if (!members.some((member) => member.id === id)) throw new UsageError(`${id} is not a member; copse member list shows them`);
}

/** The ensemble, once it is as wanted. */
async function settled(client: Copse, isSo: (ensemble: Awaited<ReturnType<Copse["ensemble"]>>) => boolean): ReturnType<Copse["ensemble"]> {
  for (let attempt = 1; ; attempt++) {
    const ensemble = await client.ensemble();
    if (isSo(ensemble)) return ensemble;
    if (attempt >= attemptsMax) throw new Error("the change was accepted but is not complete yet: watch copse member list");
    await new Promise((resolve) => setTimeout(resolve, retryMs));
  }
}

/** A hub that was alone has to listen for peers from now on. */
function heard({ id, url, role }: ShownMember, given: string | undefined): MemberWanted & { readonly peer: string } {
  const { hostname, port } = new URL(url);
  const peer = given ?? `${hostname}:${Number(port) + peerPortStep}`;
  return { id, peer, role: role === "observer" ? "observer" : "voter" };
}

/** One change at a time: while the one before is being carried out, this one waits. */
async function reconfigure(client: Copse, change: Parameters<Copse["reconfig"]>[0]): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await client.reconfig(change);
      return;
    } catch (error) {
      if (attempt >= attemptsMax || !isCopseError(error, "RECONFIG_IN_PROGRESS")) throw error;
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }
}
