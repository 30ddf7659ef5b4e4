/** The memories in the page: those it came with, those opened since, and those stored here. */

import { cyclesOf } from "./memory.js";

/** @typedef {import("./memory.js").Memory} Memory */

/** @type {Memory[]} */
const memories = [];
/** @type {((memory: Memory | null) => void)[]} */
const listeners = [];

export const allMemories = () => memories;

/** Calls for each memory that is added. @param {(memory: Memory | null) => void} hear */
export function onAdded(hear) {
  listeners.push(hear);
}

/** @param {Memory} memory */
export function add(memory) {
  memories.push(memory);
  for (const hear of listeners) hear(memory);
}

/** Whether this is a memory of sequences. @param {Memory} memory */
export const hasCycles = (memory) => memory.cycles.some((cycle) => cycle.length > 1);

/** A memory that was stored in the page, which nobody has certified.
 * @param {{title: string, network: import("./mlp.js").Network, shape: number[], points: Float64Array[],
 *   successor: number[], names: string[], media?: string, rate?: number | null}} parts @returns {Memory} */
export function madeHere({ media = "", rate = null, ...parts }) {
  const size = parts.points[0].length;
  return {
    ...parts,
    frame: null,
    cycles: cyclesOf(parts.successor),
    atol: Math.sqrt(1e-7 * size),
    rate,
    media,
    vocabulary: null,
    certified: null,
  };
}

/** What is proved of a memory, in a few words. @param {Memory} memory */
export function standing(memory) {
  const count = memory.cycles.length;
  const what = hasCycles(memory) ? (count === 1 ? "cycle" : "cycles") : "examples";
  if (!memory.certified)
    return `${count} ${what}, stored in this page or never certified: radii are computed here and prove nothing.`;
  const good = memory.certified.filter(({ verdict }) => verdict === "attractor").length;
  return `${good} of ${count} ${what} certified, by the certificate in the file.`;
}
