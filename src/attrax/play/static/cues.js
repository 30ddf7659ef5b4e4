/** What is done to a picture before it is recalled. Each function changes the cue in place. */

import { gaussian } from "./random.js";

/** @typedef {{height: number, width: number, channels: number}} Shape */
/** @typedef {import("./random.js").Random} Random */

/** @type {Record<string, {label: string, apply: (cue: Float64Array, shape: Shape, random: Random) => void}>} */
export const CORRUPTIONS = {
  noise: {
    label: "Add noise",
    apply(cue, _, random) {
      for (let i = 0; i < cue.length; i++) cue[i] += 0.3 * gaussian(random);
    },
  },
  drop: {
    label: "Drop half the pixels",
    apply(cue, { channels }, random) {
      for (let p = 0; p < cue.length; p += channels) if (random() < 0.5) cue.fill(0, p, p + channels);
    },
  },
  lower: {
    label: "Lower half black",
    apply(cue, { height, width, channels }) {
      cue.fill(0, Math.ceil(height / 2) * width * channels);
    },
  },
  occlude: {
    label: "Cover a square",
    apply(cue, { height, width, channels }, random) {
      const side = Math.ceil(0.6 * Math.min(height, width));
      const top = Math.floor(random() * (height - side + 1));
      const left = Math.floor(random() * (width - side + 1));
      for (let y = top; y < top + side; y++)
        cue.fill(0, (y * width + left) * channels, (y * width + left + side) * channels);
    },
  },
  right: { label: "Shift right", apply: (cue, shape) => shift(cue, shape, 1, 0) },
  down: { label: "Shift down", apply: (cue, shape) => shift(cue, shape, 0, 1) },
};

/** Moves a picture; what enters is black. @param {Float64Array} cue @param {Shape} shape @param {number} right
 * @param {number} down */
function shift(cue, { height, width, channels }, right, down) {
  const from = cue.slice();
  cue.fill(0);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [u, v] = [x - right, y - down];
      if (u < 0 || v < 0) continue;
      for (let c = 0; c < channels; c++) cue[(y * width + x) * channels + c] = from[(v * width + u) * channels + c];
    }
  }
}

/** Paints a round spot. @param {Float64Array} cue @param {Shape} shape @param {number} x in pixels @param {number} y
 * @param {number} radius @param {number[]} color of the channels */
export function spot(cue, { height, width, channels }, x, y, radius, color) {
  for (let row = 0; row < height; row++) {
    for (let col = 0; col < width; col++) {
      if ((col + 0.5 - x) ** 2 + (row + 0.5 - y) ** 2 > radius * radius) continue;
      for (let c = 0; c < channels; c++) cue[(row * width + col) * channels + c] = color[c % color.length];
    }
  }
}
