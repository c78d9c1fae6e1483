/**
 * Creating the znodes of a recipe with an ACL.
 *
 * Invariant: where a recipe has an ACL, the folder in which it creates has that too, where the recipe makes it: else others could add to
 * it and take from it, whatever the ACL of what is inside.
 */
import { type AclItem, type Copse, type CreateOptions, type Data, isCopseError } from "@copse/client";

export interface OwnedOptions {
  /** Who may do what with the recipe's znodes; the client's default unless given. */
  readonly acl?: readonly AclItem[] | undefined;
}

/** Creates a znode, and its folder where that is missing. @throws CopseError as `create` does */
export async function createOwned(
  copse: Copse,
  path: string,
  data: Data,
  options: Omit<CreateOptions, "parents">,
): Promise<Awaited<ReturnType<Copse["create"]>>> {
  const { acl = copse.acl, signal } = options;
  const folder = path.slice(0, path.lastIndexOf("/"));
  if (acl !== undefined && folder !== "") {
    await copse.create(folder, null, { acl, parents: true, signal }).catch((error: unknown) => {
      // It is there, or it is not this client's to make: whether what is inside can be made is for the server to say.
      if (!isCopseError(error)) throw error;
    });
  }
  return copse.create(path, data, { ...options, parents: true });
}
