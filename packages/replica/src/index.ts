export type { Input } from "./input.ts";
export { Member, type MemberOptions } from "./member.ts";
export type { Order, OrderEvent, OrderedEntry } from "./order.ts";
export { orderedEntry, SingleOrder } from "./order-single.ts";
export { backlogBytesHigh, backlogBytesLow, type Clock, type Gateway, type Hash, type Random } from "./ports.ts";
export type { Figures, ReplicaOptions } from "./replica.ts";
export type { SessionOptions } from "./sessions.ts";
