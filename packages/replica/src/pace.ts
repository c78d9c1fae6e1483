/** How a member's loop divides its time. */

/** How often connections, sessions and the table are looked at, and peers are told how far this member is, in milliseconds. */
export const lookMs = 250;
/** A turn takes inputs for so long, then lets the host breathe, in milliseconds. */
export const turnMsMax = 8;
/** Those who have more to do than a turn allows get so long after it, all together, in milliseconds. */
export const waitingMsMax = 4;
/** Inputs between two looks at the clock. */
export const inputsPerLook = 64;
/** How much an entry counts among them: it may carry thousands of txns. */
export const entryWeight = 64;
