/** What the snippets of all frameworks show. */
import { type Copse, defineNode, type Store } from "@copse/client";

export interface WebConfig {
  readonly theme: string;
  readonly limit: number;
}

export const Web = defineNode<WebConfig>("/config/web");

/** One store for the whole application: any number of views may follow it. */
export function webConfig(copse: Copse): Store<WebConfig> {
  return copse.store(Web, { initial: { theme: "light", limit: 20 } });
}
