/** Fully connected networks: values, slopes and Jacobians. Weights as in the file, arithmetic in float64. */

import { ACTIVATIONS } from "./activations.js";

/** @typedef {Float32Array | Float64Array} Numbers */
/** @typedef {{rows: number, cols: number, weight: Numbers, bias: Numbers | null}} Layer */
/** @typedef {{layers: Layer[], size: number, activation: string}} Network */

/** W x + b. @param {Layer} layer @param {Numbers} x @param {Float64Array} out */
function affine({ rows, cols, weight, bias }, x, out) {
  for (let row = 0; row < rows; row++) {
    const start = row * cols;
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    let i = 0;
    for (; i + 3 < cols; i += 4) {
      a += weight[start + i] * x[i];
      b += weight[start + i + 1] * x[i + 1];
      c += weight[start + i + 2] * x[i + 2];
      d += weight[start + i + 3] * x[i + 3];
    }
    for (; i < cols; i++) a += weight[start + i] * x[i];
    out[row] = a + b + (c + d) + (bias ? bias[row] : 0);
  }
}

/** f(x), as a new array. @param {Network} network @param {Numbers} x @returns {Float64Array} */
export function forward(network, x) {
  const { value } = ACTIVATIONS[network.activation];
  const last = network.layers.length - 1;
  /** @type {Numbers} */
  let current = x;
  for (let number = 0; number <= last; number++) {
    const layer = network.layers[number];
    const next = new Float64Array(layer.rows);
    affine(layer, current, next);
    if (number < last) for (let i = 0; i < next.length; i++) next[i] = value(next[i]);
    current = next;
  }
  return /** @type {Float64Array} */ (current);
}

/** The slopes of all hidden units at x, layer by layer, and f(x).
 * @param {Network} network @param {Numbers} x @returns {{slopes: Float64Array[], image: Float64Array}} */
export function slopesAt(network, x) {
  const { value, slope } = ACTIVATIONS[network.activation];
  const last = network.layers.length - 1;
  const slopes = [];
  let current = Float64Array.from(x);
  for (let number = 0; number < last; number++) {
    const next = new Float64Array(network.layers[number].rows);
    affine(network.layers[number], current, next);
    slopes.push(next.map(slope));
    for (let i = 0; i < next.length; i++) next[i] = value(next[i]);
    current = next;
  }
  const image = new Float64Array(network.size);
  affine(network.layers[last], current, image);
  return { slopes, image };
}

/** W[rows, cols] · M, with M of as many rows as there are in cols.
 * @param {Layer} layer @param {Int32Array} rows @param {Int32Array} cols @param {Float64Array} matrix
 * @param {number} width @returns {Float64Array} */
function times(layer, rows, cols, matrix, width) {
  const out = new Float64Array(rows.length * width);
  for (let r = 0; r < rows.length; r++) {
    const start = rows[r] * layer.cols;
    const into = r * width;
    for (let c = 0; c < cols.length; c++) {
      const factor = layer.weight[start + cols[c]];
      if (factor === 0) continue;
      const from = c * width;
      for (let k = 0; k < width; k++) out[into + k] += factor * matrix[from + k];
    }
  }
  return out;
}

/** @param {number} count */
const all = (count) => Int32Array.from({ length: count }, (_, i) => i);
/** @param {number} count */
function identity(count) {
  const out = new Float64Array(count * count);
  for (let i = 0; i < count; i++) out[i * count + i] = 1;
  return out;
}

/** A matrix with the same eigenvalues, zeros aside, as the product of the Jacobians along a cycle.
 *
 * The product is taken from the narrowest place on the way around, where the fewest units have a slope, because AB and
 * BA have the same eigenvalues but zeros. `size` can be 0: then all eigenvalues are 0.
 *
 * @param {Network} network @param {Numbers[]} cycle @returns {{size: number, matrix: Float64Array}} */
export function cycleMatrix(network, cycle) {
  const depth = network.layers.length - 1;
  /** @type {{layer: Layer, slope: Float64Array | null, active: Int32Array}[]} */
  const stages = [];
  for (const point of cycle) {
    const { slopes } = slopesAt(network, point);
    slopes.forEach((slope, number) => {
      const active = all(slope.length).filter((unit) => slope[unit] !== 0);
      stages.push({ layer: network.layers[number], slope, active });
    });
    stages.push({ layer: network.layers[depth], slope: null, active: all(network.size) });
  }
  let begin = stages.length - 1;
  stages.forEach((stage, number) => {
    if (stage.active.length < stages[begin].active.length) begin = number;
  });
  const size = stages[begin].active.length;
  /** @type {Float64Array} */
  let matrix = identity(size);
  let before = stages[begin].active;
  for (let step = 1; step <= stages.length && size; step++) {
    const { layer, slope, active } = stages[(begin + step) % stages.length];
    matrix = times(layer, active, before, matrix, size);
    if (slope) {
      active.forEach((unit, row) => {
        for (let k = 0; k < size; k++) matrix[row * size + k] *= slope[unit];
      });
    }
    before = active;
  }
  return { size, matrix };
}

/** The Jacobian at x, row by row. @param {Network} network @param {Numbers} x @returns {Float64Array} */
export function jacobian(network, x) {
  const { slopes } = slopesAt(network, x);
  /** @type {Float64Array} */
  let matrix = identity(network.size);
  let before = all(network.size);
  network.layers.forEach((layer, number) => {
    const rows = all(layer.rows);
    matrix = times(layer, rows, before, matrix, network.size);
    const slope = slopes[number];
    if (slope) for (let i = 0; i < matrix.length; i++) matrix[i] *= slope[Math.floor(i / network.size)];
    before = rows;
  });
  return matrix;
}
