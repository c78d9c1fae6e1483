/** The next write of a session, as a member would propose it. */
import type { Tree } from "../src/tree.ts";
import { encodeOperation, printOf, type WriteTxn } from "../src/txn.ts";

export function writeTxn(tree: Tree, session: string, write: WriteTxn["write"]): WriteTxn {
  const known = tree.sessions.get(session);
  const after = known?.lastId ?? 0;
  const generation = known?.generation ?? 1;
  return {
    kind: "write",
    session,
    generation,
    id: after + 1,
    after,
    ack: 0,
    print: printOf(encodeOperation(write), []),
    address: "",
    guards: [],
    write,
  };
}
