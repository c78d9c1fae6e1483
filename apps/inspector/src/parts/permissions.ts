/** What one may be permitted, in the order in which the page shows it. */
import type { Permission } from "@copse/client";

export const permissions: readonly Permission[] = ["read", "write", "create", "delete", "admin"];
