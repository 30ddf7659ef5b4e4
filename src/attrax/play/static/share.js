/** What is on the plane as the part of the address after #, and back. Whatever is in an address is checked. */

import { ACTIVATIONS } from "./activations.js";
import { OPTIMIZERS } from "./optimizers.js";

/** @typedef {import("./training.js").Recipe & {epochs: number, noise: number, seeds: number}} PlaneRecipe */
/** @typedef {{recipe: PlaneRecipe, cycles: number[][][]}} Scene cycles of one or more points each */

/** Least and greatest value of each number. @type {Record<string, [number, number, boolean]>} */
export const LIMITS = {
  depth: [1, 20, true],
  width: [1, 256, true],
  rate: [1e-6, 1, false],
  noise: [0, 1, false],
  epochs: [10, 100_000, true],
  seed: [0, 1_000_000, true],
  seeds: [1, 4, true],
};
const MOST_POINTS = 60;

/** @type {PlaneRecipe} */
export const PRESET = {
  depth: 10,
  width: 100,
  activation: "cosid",
  optimizer: "adam",
  rate: 0.001,
  noise: 0.1,
  epochs: 1500,
  seed: 0,
  seeds: 1,
};

/** Six examples in the plane, as in attrax.paper. */
export const SIX_POINTS = [
  [-0.8, -0.6],
  [0.1, -0.9],
  [0.9, -0.4],
  [-0.6, 0.5],
  [0.2, 0.2],
  [0.7, 0.9],
].map((point) => [point]);

/** A number within its limits; `otherwise` for what is none. @param {string} name @param {unknown} value
 * @param {number} otherwise */
export function limited(name, value, otherwise) {
  const [least, most, whole] = LIMITS[name];
  const number = typeof value === "string" && value.trim() === "" ? NaN : Number(value);
  if (!Number.isFinite(number)) return otherwise;
  return Math.min(most, Math.max(least, whole ? Math.round(number) : number));
}

/** @param {Scene} scene */
export function toHash({ recipe, cycles }) {
  const parts = new URLSearchParams();
  for (const [name, value] of Object.entries(recipe)) parts.set(name, String(value));
  const points = cycles.map((cycle) =>
    cycle.map((point) => point.map((value) => Math.round(1000 * value)).join("_")).join("."),
  );
  parts.set("points", points.join("~"));
  return `plane?${parts}`;
}

/** @param {string} hash without #; @returns {Scene | null} null for an address that is not of the plane */
export function fromHash(hash) {
  if (!hash.startsWith("plane?")) return null;
  const parts = new URLSearchParams(hash.slice(6));
  const recipe = { ...PRESET };
  for (const name of Object.keys(LIMITS)) {
    /** @type {any} */ (recipe)[name] = limited(name, parts.get(name) ?? "", /** @type {any} */ (PRESET)[name]);
  }
  const activation = parts.get("activation") ?? "";
  const optimizer = parts.get("optimizer") ?? "";
  if (Object.hasOwn(ACTIVATIONS, activation)) recipe.activation = activation;
  if (Object.hasOwn(OPTIMIZERS, optimizer)) recipe.optimizer = optimizer;
  let left = MOST_POINTS;
  const cycles = (parts.get("points") ?? "")
    .split("~")
    .map((cycle) => {
      const points = cycle
        .split(".")
        .map((point) => point.split("_").map((value) => Number.parseInt(value, 10) / 1000))
        .filter((point) => point.length === 2 && point.every((value) => Math.abs(value) <= 1.5))
        .slice(0, left);
      left -= points.length;
      return points;
    })
    .filter((cycle) => cycle.length > 0);
  return { recipe, cycles };
}
