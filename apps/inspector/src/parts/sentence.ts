/** One sentence for a refusal, in words for operators. */
import { isCopseError } from "@copse/client";

export function sentence(error: unknown): string {
  if (!isCopseError(error)) return String(error);
  switch (error.code) {
    case "NODE_EXISTS":
      return "A znode of this name exists already.";
    case "NO_NODE":
      return "The znode does not exist any more.";
    case "NOT_EMPTY":
      return "The znode now has children.";
    case "NO_AUTH":
      return "Your identity may not do this.";
    case "READ_ONLY":
      return "This server allows no changes.";
    case "SESSION_EXPIRED":
    case "UNAVAILABLE":
      return error.outcome === "unknown"
        ? "The connection was lost before the reply: the change may or may not have been made. Check before you try again."
        : "There is no connection. Nothing was done.";
    case "NO_CHILDREN_FOR_EPHEMERALS":
      return "An ephemeral znode can't have children.";
    default:
      return error.message;
  }
}
