/** How weights move, given gradients. Each optimizer changes weights in place and keeps its own averages. */

/** @typedef {Float64Array} Numbers */
/** @typedef {{begin: () => void, update: (weight: Numbers, from: number, gradient: Numbers, count: number,
 *   memory: Numbers[]) => void, memories: number}} Optimizer */

const FAST = 0.9;
const SLOW = 0.999;
const TINY = 1e-8;

/** Adam (Kingma and Ba, 2015). @param {() => number} rate @returns {Optimizer} */
function adam(rate) {
  let steps = 0;
  let step = 0;
  let correction = 1;
  return {
    memories: 2,
    begin() {
      steps += 1;
      step = rate() / (1 - FAST ** steps);
      correction = 1 / Math.sqrt(1 - SLOW ** steps);
    },
    update(weight, from, gradient, count, [mean, square]) {
      for (let i = 0; i < count; i++) {
        const g = gradient[i];
        const at = from + i;
        const m = FAST * mean[at] + (1 - FAST) * g;
        const v = SLOW * square[at] + (1 - SLOW) * g * g;
        mean[at] = m;
        square[at] = v;
        weight[at] -= (step * m) / (Math.sqrt(v) * correction + TINY);
      }
    },
  };
}

/** @param {() => number} rate @returns {Optimizer} */
function descent(rate) {
  return {
    memories: 0,
    begin() {},
    update(weight, from, gradient, count) {
      const step = rate();
      for (let i = 0; i < count; i++) weight[from + i] -= step * gradient[i];
    },
  };
}

/** @param {() => number} rate @returns {Optimizer} */
function momentum(rate) {
  return {
    memories: 1,
    begin() {},
    update(weight, from, gradient, count, [velocity]) {
      const step = rate();
      for (let i = 0; i < count; i++) {
        velocity[from + i] = FAST * velocity[from + i] + gradient[i];
        weight[from + i] -= step * velocity[from + i];
      }
    },
  };
}

/** @param {() => number} rate @returns {Optimizer} */
function rmsprop(rate) {
  return {
    memories: 1,
    begin() {},
    update(weight, from, gradient, count, [square]) {
      const step = rate();
      for (let i = 0; i < count; i++) {
        const g = gradient[i];
        const v = FAST * square[from + i] + (1 - FAST) * g * g;
        square[from + i] = v;
        weight[from + i] -= (step * g) / (Math.sqrt(v) + TINY);
      }
    },
  };
}

/** @type {Record<string, (rate: () => number) => Optimizer>} */
export const OPTIMIZERS = { adam, rmsprop, momentum, descent };
