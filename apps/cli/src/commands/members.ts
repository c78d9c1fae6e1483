/**
 * member: the members of the ensemble; adding and removing them.
 */
import { type Copse, isCopseError, type MemberWanted, type ShownMember } from "@copse/client";
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
    const rows = ensemble.members.map(({ id, role, state, zxid, url, peer }) => [id, role, state, String(zxid), url, peer || "–"]);
    printTable([["id", "role", "state", "zxid", "clients", "peers"], ...rows]);
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
    print(`added member ${id}. If it is not running yet, start it with:

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
