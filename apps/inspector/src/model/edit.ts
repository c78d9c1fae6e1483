/** An edit of a znode's data that is under way. */
import type { LiveZnode } from "@copse/client";
import { hexText } from "../parts/data-forms.ts";

export interface Edit {
  readonly path: string;
  /** What the edit began from. */
  base: string;
  version: number;
  text: string;
  /** The text is the bytes as numbers. */
  isHex: boolean;
  /** Of the znode that the edit began from: one that was made anew is another. */
  czxid: number;
  problem: string | null;
  isSaving: boolean;
}

/** What stands in the editor: the text, or the bytes as numbers. */
export function editable({ data, bytes }: Pick<LiveZnode, "data" | "bytes">): string {
  return bytes === null ? (data ?? "") : hexText(bytes);
}
