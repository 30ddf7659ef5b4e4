/** Iterates of a network, where they end, and spectral radii at what is stored. */

import { eigenvalues, radiusOf } from "./eigen.js";
import { cycleMatrix, forward } from "./mlp.js";

/** @typedef {import("./mlp.js").Network} Network */
/** @typedef {import("./mlp.js").Numbers} Numbers */
/** How an iteration stands. `period`: 1 for a fixed point, 0 while nothing is known.
 * @typedef {{state: Float64Array, steps: number, period: number, diverged: boolean}} Course */

/** Relative change at which a state counts as the same. */
const SAME = 1e-9;

/** @param {Numbers} a @param {Numbers} b */
export function distance(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return Math.sqrt(sum);
}

/** @param {Numbers} x */
function norm(x) {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i] * x[i];
  return Math.sqrt(sum);
}

/** An iteration that can be watched: one step a call; after it has settled, steps go on but say so.
 *
 * Cycles are found by Brent's method: the state is compared with one from a while ago, and the while doubles. */
export class Iteration {
  /** @param {Network} network @param {Numbers} cue */
  constructor(network, cue) {
    this.network = network;
    /** @type {Course} */
    this.course = { state: Float64Array.from(cue), steps: 0, period: 0, diverged: false };
    this.mark = this.course.state;
    this.since = 0;
    this.span = 1;
  }

  step() {
    const { course } = this;
    if (course.diverged) return course;
    const state = forward(this.network, course.state);
    course.steps += 1;
    this.since += 1;
    if (!state.every(Number.isFinite)) {
      course.diverged = true;
      return course;
    }
    course.state = state;
    if (!course.period) {
      if (distance(state, this.mark) <= SAME * (1 + norm(state))) course.period = this.since;
      else if (this.since === this.span) {
        this.mark = state;
        this.span *= 2;
        this.since = 0;
      }
    }
    return course;
  }

  /** Steps until it has settled, or `most` have been made. @param {number} most */
  settle(most) {
    while (!this.course.period && !this.course.diverged && this.course.steps < most) this.step();
    return this.course;
  }
}

/** The stored example nearest to a state. @param {Numbers} state @param {Numbers[]} points */
export function nearest(state, points) {
  let index = 0;
  let least = Infinity;
  points.forEach((point, number) => {
    const away = distance(state, point);
    if (away < least) [index, least] = [number, away];
  });
  return { index, distance: least };
}

/** Eigenvalues of the product of the Jacobians along a cycle; zeros may be missing.
 * @param {Network} network @param {Numbers[]} cycle */
export function spectrum(network, cycle) {
  const { size, matrix } = cycleMatrix(network, cycle);
  return eigenvalues(matrix, size);
}

/** The spectral radius of a cycle; NaN if it can't be computed. @param {Network} network @param {Numbers[]} cycle */
export function spectralRadius(network, cycle) {
  try {
    return radiusOf(spectrum(network, cycle));
  } catch {
    return NaN;
  }
}
