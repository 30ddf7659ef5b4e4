/** Training a fully connected network on pairs of points, full batch, in float64. */

import { ACTIVATIONS } from "./activations.js";
import { OPTIMIZERS } from "./optimizers.js";
import { seeded } from "./random.js";

/** @typedef {{rows: number, cols: number, weight: Float64Array, bias: Float64Array}} Trained */
/** @typedef {{depth: number, width: number, activation: string, optimizer: string, rate: number,
 *   seed: number}} Recipe */

/** Layers as PyTorch's Linear begins: all of U[−1/√fan_in, 1/√fan_in].
 * @param {number} size @param {Recipe} recipe @returns {Trained[]} */
export function initialLayers(size, { depth, width, seed }) {
  const random = seeded(seed);
  const sizes = [size, ...Array(depth).fill(width), size];
  return sizes.slice(1).map((rows, number) => {
    const cols = sizes[number];
    const limit = 1 / Math.sqrt(cols);
    const draw = () => (2 * random() - 1) * limit;
    return {
      rows,
      cols,
      weight: Float64Array.from({ length: rows * cols }, draw),
      bias: Float64Array.from({ length: rows }, draw),
    };
  });
}

/** Z = A Wᵀ + b for a batch of rows. Two units by three rows at a time, so that each number read is used again.
 * @param {Trained} layer @param {Float64Array} a @param {number} batch @param {Float64Array} z */
function affineBatch({ rows, cols, weight, bias }, a, batch, z) {
  for (let o = 0; o < rows; o += 2) {
    const one = o * cols;
    const pair = o + 1 < rows;
    const two = pair ? one + cols : one;
    for (let b = 0; b < batch; b += 3) {
      const first = b * cols;
      const second = b + 1 < batch ? first + cols : first;
      const third = b + 2 < batch ? second + cols : first;
      let p = 0;
      let q = 0;
      let r = 0;
      let s = 0;
      let t = 0;
      let u = 0;
      for (let i = 0; i < cols; i++) {
        const w = weight[one + i];
        const v = weight[two + i];
        const x = a[first + i];
        const y = a[second + i];
        const k = a[third + i];
        p += w * x;
        q += w * y;
        r += w * k;
        s += v * x;
        t += v * y;
        u += v * k;
      }
      const at = b * rows + o;
      z[at] = p + bias[o];
      if (b + 1 < batch) z[at + rows] = q + bias[o];
      if (b + 2 < batch) z[at + 2 * rows] = r + bias[o];
      if (!pair) continue;
      z[at + 1] = s + bias[o + 1];
      if (b + 1 < batch) z[at + rows + 1] = t + bias[o + 1];
      if (b + 2 < batch) z[at + 2 * rows + 1] = u + bias[o + 1];
    }
  }
}

/** dA = dZ W, four units by two rows at a time. @param {Trained} layer @param {Float64Array} dz @param {number} batch
 * @param {Float64Array} da */
function backBatch({ rows, cols, weight }, dz, batch, da) {
  da.fill(0);
  const whole = rows - (rows % 4);
  for (let b = 0; b < batch; b += 2) {
    const pair = b + 1 < batch;
    const to = b * cols;
    const next = pair ? to + cols : to;
    for (let o = 0; o < whole; o += 4) {
      const from = b * rows + o;
      const p = dz[from];
      const q = dz[from + 1];
      const r = dz[from + 2];
      const s = dz[from + 3];
      // The last row of an odd batch stands alone: its neighbor adds nothing.
      const k = pair ? dz[from + rows] : 0;
      const l = pair ? dz[from + rows + 1] : 0;
      const m = pair ? dz[from + rows + 2] : 0;
      const n = pair ? dz[from + rows + 3] : 0;
      const one = o * cols;
      const two = one + cols;
      const three = two + cols;
      const four = three + cols;
      for (let i = 0; i < cols; i++) {
        const w = weight[one + i];
        const x = weight[two + i];
        const y = weight[three + i];
        const z = weight[four + i];
        da[to + i] += p * w + q * x + r * y + s * z;
        da[next + i] += k * w + l * x + m * y + n * z;
      }
    }
  }
  for (let b = 0; b < batch; b++) {
    for (let o = whole; o < rows; o++) {
      const p = dz[b * rows + o];
      for (let i = 0; i < cols; i++) da[b * cols + i] += p * weight[o * cols + i];
    }
  }
}

/** The gradient of one row of weights, Σ_b dZ[b, o] A[b, :], six rows of the batch at a time. @param {Float64Array} dz
 * @param {Float64Array} a @param {number} batch @param {number} rows @param {number} cols @param {number} o
 * @param {Float64Array} out */
function rowGradient(dz, a, batch, rows, cols, o, out) {
  for (let i = 0; i < cols; i++) out[i] = 0;
  let b = 0;
  for (; b + 5 < batch; b += 6) {
    const from = b * rows + o;
    const p = dz[from];
    const q = dz[from + rows];
    const r = dz[from + 2 * rows];
    const s = dz[from + 3 * rows];
    const t = dz[from + 4 * rows];
    const u = dz[from + 5 * rows];
    const one = b * cols;
    const two = one + cols;
    const three = two + cols;
    const four = three + cols;
    const five = four + cols;
    const six = five + cols;
    for (let i = 0; i < cols; i++) {
      out[i] +=
        p * a[one + i] + q * a[two + i] + r * a[three + i] + (s * a[four + i] + t * a[five + i] + u * a[six + i]);
    }
  }
  for (; b < batch; b++) {
    const p = dz[b * rows + o];
    for (let i = 0; i < cols; i++) out[i] += p * a[b * cols + i];
  }
}

/** Values of any network at many states, row by row. @param {import("./mlp.js").Network} network
 * @param {Float64Array} states @param {number} batch @returns {Float64Array} */
export function forwardBatch({ layers, activation }, states, batch) {
  const { value } = ACTIVATIONS[activation];
  let a = states;
  layers.forEach((layer, number) => {
    const z = new Float64Array(batch * layer.rows);
    affineBatch(/** @type {Trained} */ ({ ...layer, bias: layer.bias ?? new Float64Array(layer.rows) }), a, batch, z);
    if (number < layers.length - 1) for (let i = 0; i < z.length; i++) z[i] = value(z[i]);
    a = z;
  });
  return a;
}

/** One network in training. */
export class Trainer {
  /** @param {Float64Array} inputs rows @param {Float64Array} targets rows @param {number} size of a state
   * @param {Recipe} recipe */
  constructor(inputs, targets, size, recipe) {
    this.size = size;
    this.recipe = recipe;
    this.layers = initialLayers(size, recipe);
    this.epoch = 0;
    this.loss = NaN;
    this.rate = recipe.rate;
    this.optimizer = OPTIMIZERS[recipe.optimizer](() => this.rate);
    const kept = () => (/** @type {Trained} */ layer) => ({
      weight: Array.from({ length: this.optimizer.memories }, () => new Float64Array(layer.weight.length)),
      bias: Array.from({ length: this.optimizer.memories }, () => new Float64Array(layer.bias.length)),
    });
    this.memories = this.layers.map(kept());
    this.row = new Float64Array(Math.max(...this.layers.map((layer) => Math.max(layer.cols, layer.rows))));
    this.inputs = inputs;
    this.targets = targets;
    this.batch = inputs.length / this.size;
    const room = () => this.layers.map((layer) => new Float64Array(this.batch * layer.rows));
    this.z = room();
    this.a = room();
    this.dz = room();
  }

  /** One epoch. Returns the mean squared error before it. */
  train() {
    const { layers, batch, z, a, dz, row, optimizer } = this;
    const { value, slope } = ACTIVATIONS[this.recipe.activation];
    const last = layers.length - 1;
    layers.forEach((layer, number) => {
      affineBatch(layer, number ? a[number - 1] : this.inputs, batch, z[number]);
      if (number < last) for (let i = 0; i < z[number].length; i++) a[number][i] = value(z[number][i]);
    });
    let loss = 0;
    const out = z[last];
    for (let i = 0; i < out.length; i++) {
      const error = out[i] - this.targets[i];
      loss += error * error;
      dz[last][i] = (2 * error) / out.length;
    }
    this.loss = loss / out.length;
    if (!Number.isFinite(this.loss)) return this.loss;
    optimizer.begin();
    for (let number = last; number >= 0; number--) {
      const layer = layers[number];
      const { rows, cols } = layer;
      if (number) {
        backBatch(layer, dz[number], batch, dz[number - 1]);
        for (let i = 0; i < dz[number - 1].length; i++) dz[number - 1][i] *= slope(z[number - 1][i]);
      }
      const before = number ? a[number - 1] : this.inputs;
      const kept = this.memories[number];
      for (let o = 0; o < rows; o++) {
        rowGradient(dz[number], before, batch, rows, cols, o, row);
        optimizer.update(layer.weight, o * cols, row, cols, kept.weight);
      }
      for (let o = 0; o < rows; o++) {
        let sum = 0;
        for (let b = 0; b < batch; b++) sum += dz[number][b * rows + o];
        row[o] = sum;
      }
      optimizer.update(layer.bias, 0, row, rows, kept.bias);
    }
    this.epoch += 1;
    return this.loss;
  }

  /** @returns {import("./mlp.js").Network} sharing the weights */
  network() {
    return { layers: this.layers, size: this.size, activation: this.recipe.activation };
  }
}
