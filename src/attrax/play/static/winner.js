/** Pictures stored in the page: one trained score for each, of which the largest selects the output.
 *
 * The network is that of attrax.training.winner_take_all_network, with scores that are linear in the picture. They are
 * trained as a classifier on corrupted pictures (softmax cross-entropy, Adam), so that the right one is the largest.
 */

import { forward } from "./mlp.js";
import { OPTIMIZERS } from "./optimizers.js";
import { gaussian, seeded } from "./random.js";

/** @typedef {import("./mlp.js").Layer} Layer */
/** @typedef {import("./mlp.js").Network} Network */
/** @typedef {{loss: number, share: number}} Progress */

const ROUNDS = 4;
const ONSET = 5;
const SAFE = 0.6;
const GAIN = 1e4;
const DARK = 0.3;
/** Length of a starting score's weights, and the largest learning rate: the best of those tried on four sets of 20. */
const SCALE = 4;
const RATE = 0.006;

/** Starting scores: correlation with the logarithm of each picture. @param {Float64Array[]} points */
function templates(points) {
  const size = points[0].length;
  const weight = new Float64Array(points.length * size);
  points.forEach((point, row) => {
    const logs = point.map((value) => Math.log(Math.max(value, 0) + DARK));
    const mean = logs.reduce((a, b) => a + b, 0) / size;
    let square = 0;
    for (let i = 0; i < size; i++) square += (logs[i] - mean) ** 2;
    const scale = SCALE / (Math.sqrt(square) || 1);
    for (let i = 0; i < size; i++) weight[row * size + i] = scale * (logs[i] - mean);
  });
  return weight;
}

/** A corrupted picture: noise, a black rectangle or half, or dropped pixels. @param {Float64Array} point
 * @param {number[]} shape @param {import("./random.js").Random} random @param {Float64Array} out */
export function corrupted(point, shape, random, out) {
  const [height, width, channels = 1] = shape;
  out.set(point);
  const kind = Math.floor(4 * random());
  if (kind === 0) {
    const level = 0.5 * random();
    for (let i = 0; i < out.length; i++) out[i] += level * gaussian(random);
  } else if (kind === 1) {
    const share = random();
    for (let p = 0; p < height * width; p++) {
      if (random() < share * 0.9) out.fill(0, p * channels, (p + 1) * channels);
    }
  } else {
    const tall = Math.ceil(height * (0.3 + 0.4 * random()));
    const wide = kind === 2 ? width : Math.ceil(width * (0.3 + 0.5 * random()));
    const top = kind === 2 && random() < 0.5 ? height - tall : Math.floor((height - tall + 1) * random());
    const left = Math.floor((width - wide + 1) * random());
    for (let y = top; y < top + tall; y++) {
      out.fill(0, (y * width + left) * channels, (y * width + left + wide) * channels);
    }
  }
}

/** Trains the scores. Yields after each epoch, so that the caller can report and stop.
 * @param {Float64Array[]} points @param {number[]} shape @param {number} epochs @param {number} seed
 * @returns {Generator<Progress, {weight: Float64Array, bias: Float64Array}>} */
export function* trainScores(points, shape, epochs, seed) {
  const size = points[0].length;
  const count = points.length;
  const random = seeded(seed);
  const weight = templates(points);
  const bias = new Float64Array(count);
  let rate = 0;
  const optimizer = OPTIMIZERS.adam(() => rate);
  const moments = [new Float64Array(weight.length), new Float64Array(weight.length)];
  const biasMoments = [new Float64Array(count), new Float64Array(count)];
  const cues = points.map(() => new Float64Array(size));
  const gradient = new Float64Array(size);
  const biasGradient = new Float64Array(count);
  const table = cues.map(() => new Float64Array(count));
  for (let epoch = 0; epoch < epochs; epoch++) {
    rate = RATE * 0.5 * (1 + Math.cos((Math.PI * epoch) / epochs));
    points.forEach((point, index) => corrupted(point, shape, random, cues[index]));
    let loss = 0;
    cues.forEach((cue, index) => {
      const row = table[index];
      let most = -Infinity;
      for (let o = 0; o < count; o++) {
        let sum = bias[o];
        const at = o * size;
        for (let i = 0; i < size; i++) sum += weight[at + i] * cue[i];
        row[o] = sum;
        most = Math.max(most, sum);
      }
      let total = 0;
      for (let o = 0; o < count; o++) total += row[o] = Math.exp(row[o] - most);
      loss -= Math.log(row[index] / total + 1e-300) / count;
      for (let o = 0; o < count; o++) row[o] = (row[o] / total - (o === index ? 1 : 0)) / count;
    });
    optimizer.begin();
    for (let o = 0; o < count; o++) {
      gradient.fill(0);
      let sum = 0;
      cues.forEach((cue, index) => {
        const factor = table[index][o];
        sum += factor;
        if (Math.abs(factor) < 1e-12) return;
        for (let i = 0; i < size; i++) gradient[i] += factor * cue[i];
      });
      biasGradient[o] = sum;
      optimizer.update(weight, o * size, gradient, size, moments);
    }
    optimizer.update(bias, 0, biasGradient, count, biasMoments);
    yield { loss, share: (epoch + 1) / epochs };
  }
  return { weight, bias };
}

/** The strengths of inhibition, from 5/n or less to 1 in equal ratios. @param {number} count @param {number} onset */
function inhibition(count, onset) {
  if (count < 4) return [1];
  const first = Math.min(onset / count, 0.25);
  return Array.from({ length: ROUNDS + 1 }, (_, round) => first ** (1 - round / ROUNDS));
}

/** @param {Network} network @param {Float64Array[]} points activations of the last hidden layer at each point */
function featuresAt(network, points) {
  const count = network.layers[network.layers.length - 1].rows;
  const eye = new Float64Array(count * count);
  for (let i = 0; i < count; i++) eye[i * count + i] = 1;
  const probe = { ...network, layers: [...network.layers, { rows: count, cols: count, weight: eye, bias: null }] };
  return points.map((point) => forward(probe, point));
}

/** The network that maps a state to the target of the example with the largest score.
 * @param {{weight: Float64Array, bias: Float64Array}} scores @param {Float64Array[]} points
 * @param {Float64Array[]} targets @returns {Network} */
export function winnerTakeAll(scores, points, targets) {
  const count = points.length;
  const size = points[0].length;
  const weight = scores.weight.slice();
  for (let i = 0; i < size; i++) {
    let mean = 0;
    for (let o = 0; o < count; o++) mean += weight[o * size + i] / count;
    for (let o = 0; o < count; o++) weight[o * size + i] -= mean;
  }
  const middle = scores.bias.reduce((a, b) => a + b, 0) / count;
  // A single example has no rival: its score is 1 everywhere.
  const bias = count === 1 ? new Float64Array(1).fill(1) : scores.bias.map((value) => value - middle);
  /** @type {Network} */
  const network = { size, activation: "relu", layers: [{ rows: count, cols: size, weight, bias }] };
  const first = featuresAt(network, points);
  let onset = ONSET;
  first.forEach((row, index) => {
    const own = row[index];
    const total = row.reduce((a, b) => a + b, 0);
    if (own > 0 && own === Math.max(...row) && own < total)
      onset = Math.min(onset, (SAFE * count * own) / (total - own));
  });
  for (const strength of count === 1 ? [] : inhibition(count, onset)) {
    const square = new Float64Array(count * count).fill(-strength);
    for (let i = 0; i < count; i++) square[i * count + i] = 1;
    network.layers.push({ rows: count, cols: count, weight: square, bias: null });
  }
  const won = featuresAt(network, points)
    .map((row, index) => row[index])
    .filter((value) => value > 0);
  const gain = GAIN / (won.length ? Math.min(...won) : 1);
  const gate = new Float64Array(count * count);
  for (let i = 0; i < count; i++) gate[i * count + i] = -gain;
  network.layers.push({ rows: count, cols: count, weight: gate, bias: new Float64Array(count).fill(1) });
  const mean = new Float64Array(size);
  targets.forEach((target) => target.forEach((value, i) => (mean[i] += value / count)));
  const out = new Float64Array(size * count);
  targets.forEach((target, o) => target.forEach((value, i) => (out[i * count + o] = mean[i] - value)));
  network.layers.push({ rows: size, cols: count, weight: out, bias: mean });
  return network;
}
