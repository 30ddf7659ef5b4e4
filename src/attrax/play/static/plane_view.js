/** One picture of the plane: basins, vector field, stored points and a path, for one network. */

import { colorOf, ink, ready, rgbOf } from "./draw.js";
import { radiusOf } from "./eigen.js";

/** Half the side of the square shown. */
export const REACH = 1.5;
/** Corners on a side of the grid on which the network is evaluated while it trains. */
export const GRID = 33;
const CELLS = 120;
const STEPS = 80;
const NEAR = 0.06;

/** @typedef {import("./mlp.js").Network} Network */
/** @typedef {{network: Network | null, field: Float64Array | null, epoch: number, loss: number, rate: number,
 *   diverged: boolean, radii: number[], held: boolean[],
 *   cycles: {values: {re: number, im: number}[], error: number}[], basins: ImageData | null,
 *   exact: boolean}} Seen */
/** @typedef {{points: number[][], cycles: number[][]}} Stored */

/** How far f may be from the next state of a cycle that counts as stored. */
const EXACT = 1e-3;

/** Notes the cycles of a network. @param {Seen} seen @param {Seen["cycles"]} cycles */
export function noteCycles(seen, cycles) {
  seen.cycles = cycles;
  seen.radii = cycles.map(({ values }) => radiusOf(values));
  seen.held = cycles.map(({ error }, index) => error < EXACT && seen.radii[index] < 1);
}

/** @returns {Seen} */
export const unseen = () => ({
  network: null,
  field: null,
  epoch: 0,
  loss: NaN,
  rate: 0,
  diverged: false,
  radii: [],
  held: [],
  cycles: [],
  basins: null,
  exact: false,
});

/** f by interpolation between the corners of the grid. @param {Float64Array} field @param {number} x @param {number} y
 * @param {Float64Array} out */
function interpolated(field, x, y, out) {
  const u = Math.min(GRID - 1.001, Math.max(0, ((x + REACH) / (2 * REACH)) * (GRID - 1)));
  const v = Math.min(GRID - 1.001, Math.max(0, ((REACH - y) / (2 * REACH)) * (GRID - 1)));
  const col = Math.floor(u);
  const row = Math.floor(v);
  const [p, q] = [u - col, v - row];
  for (let k = 0; k < 2; k++) {
    const at = 2 * (row * GRID + col) + k;
    const above = field[at] * (1 - p) + field[at + 2] * p;
    const below = field[at + 2 * GRID] * (1 - p) + field[at + 2 * GRID + 2] * p;
    out[k] = above * (1 - q) + below * q;
  }
}

/** Puts a pixel of a basin. @param {ImageData} image @param {number} at @param {number} owner of the attractor, or
 * less than 0 @param {boolean} stable */
function paint(image, at, owner, stable) {
  const [r, g, b] = owner >= 0 ? rgbOf(owner) : [128, 128, 128];
  image.data.set([r, g, b, owner < 0 ? 28 : stable ? 110 : 45], 4 * at);
}

/** Basins drawn from the grid alone, quickly. @param {Seen} seen @param {Stored} stored */
export function drawnBasins(seen, { points, cycles }) {
  if (!seen.field) return null;
  const image = new ImageData(CELLS, CELLS);
  const owner = new Map(cycles.flatMap((cycle, index) => cycle.map((point) => /** @type {const} */ ([point, index]))));
  const state = new Float64Array(2);
  for (let row = 0; row < CELLS; row++) {
    for (let col = 0; col < CELLS; col++) {
      let x = -REACH + (2 * REACH * (col + 0.5)) / CELLS;
      let y = REACH - (2 * REACH * (row + 0.5)) / CELLS;
      for (let step = 0; step < STEPS; step++) {
        interpolated(seen.field, x, y, state);
        const moved = Math.abs(state[0] - x) + Math.abs(state[1] - y);
        [x, y] = state;
        if (moved < 1e-4) break;
      }
      let best = -1;
      let least = NEAR;
      points.forEach(([px, py], index) => {
        const away = Math.hypot(px - x, py - y);
        if (away < least) [best, least] = [owner.get(index) ?? -1, away];
      });
      paint(image, row * CELLS + col, best, best >= 0 && seen.held[best]);
    }
  }
  return image;
}

/** One row of basins without interpolation. @param {Seen} seen
 * @param {{row: number, side: number, ends: Int16Array}} found */
export function addExactRow(seen, { row, side, ends }) {
  if (!seen.basins || seen.basins.width !== side) return;
  ends.forEach((end, col) =>
    paint(/** @type {ImageData} */ (seen.basins), row * side + col, end, end >= 0 && seen.held[end]),
  );
}
export const EXACT_SIDE = CELLS;

/** @param {number} x @param {number} y @param {number} side @returns {[number, number]} in pixels */
export const toPixels = (x, y, side) => [((x + REACH) / (2 * REACH)) * side, ((REACH - y) / (2 * REACH)) * side];

/** Draws everything. @param {HTMLCanvasElement} canvas @param {Seen} seen @param {Stored} stored
 * @param {{field: boolean, basins: boolean}} shows @param {number[][]} path @param {number[][]} open points of a cycle
 * being drawn @param {number[] | null} cursor of the keyboard */
export function drawPlane(canvas, seen, { points, cycles }, shows, path, open, cursor) {
  const { context, width: side } = ready(canvas);
  if (shows.basins && seen.basins) {
    const image = document.createElement("canvas");
    image.width = image.height = seen.basins.width;
    image.getContext("2d")?.putImageData(seen.basins, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(image, 0, 0, side, side);
  }
  context.strokeStyle = ink("line");
  context.lineWidth = 1;
  context.beginPath();
  for (const value of [-1, 0, 1]) {
    const [x, y] = toPixels(value, value, side);
    context.moveTo(x, 0);
    context.lineTo(x, side);
    context.moveTo(0, y);
    context.lineTo(side, y);
  }
  context.stroke();
  if (shows.field && seen.field) drawField(context, seen.field, side);
  const curve = (/** @type {number[][]} */ states, /** @type {boolean} */ closed) => {
    context.beginPath();
    for (const [x, y] of closed ? [...states, states[0]] : states) context.lineTo(...toPixels(x, y, side));
    context.stroke();
  };
  cycles.forEach((cycle, index) => {
    context.strokeStyle = colorOf(index);
    context.lineWidth = 2;
    if (cycle.length > 1)
      curve(
        cycle.map((point) => points[point]),
        true,
      );
    for (const point of cycle) {
      const [x, y] = toPixels(points[point][0], points[point][1], side);
      context.beginPath();
      context.arc(x, y, 6, 0, 7);
      context.fillStyle = seen.held[index] ? colorOf(index) : ink("paper");
      context.fill();
      context.strokeStyle = seen.held[index] ? ink("ink") : colorOf(index);
      context.stroke();
    }
  });
  context.strokeStyle = ink("ink");
  context.fillStyle = ink("ink");
  context.lineWidth = 1.5;
  if (open.length) curve(open, false);
  for (const [x, y] of open) context.fillRect(toPixels(x, y, side)[0] - 3, toPixels(x, y, side)[1] - 3, 6, 6);
  if (path.length) {
    curve(path, false);
    path.forEach(([x, y], step) => {
      context.beginPath();
      context.arc(...toPixels(x, y, side), step ? 2 : 4, 0, 7);
      context.fill();
    });
  }
  if (cursor) {
    const [x, y] = toPixels(cursor[0], cursor[1], side);
    context.strokeRect(x - 9, y - 9, 18, 18);
  }
}

/** Short arrows from x towards f(x). @param {CanvasRenderingContext2D} context @param {Float64Array} field
 * @param {number} side */
function drawField(context, field, side) {
  context.strokeStyle = ink("soft");
  context.globalAlpha = 0.75;
  context.beginPath();
  for (let row = 1; row < GRID; row += 3) {
    for (let col = 1; col < GRID; col += 3) {
      const x = -REACH + (2 * REACH * col) / (GRID - 1);
      const y = REACH - (2 * REACH * row) / (GRID - 1);
      const dx = field[2 * (row * GRID + col)] - x;
      const dy = field[2 * (row * GRID + col) + 1] - y;
      const size = Math.hypot(dx, dy);
      if (!(size > 0)) continue;
      const length = Math.min(0.16, size) / size;
      const [a, b] = toPixels(x, y, side);
      const [c, d] = toPixels(x + dx * length, y + dy * length, side);
      const angle = Math.atan2(d - b, c - a);
      context.moveTo(a, b);
      context.lineTo(c, d);
      for (const turn of [2.6, -2.6]) {
        context.moveTo(c, d);
        context.lineTo(c + 4 * Math.cos(angle + turn), d + 4 * Math.sin(angle + turn));
      }
    }
  }
  context.stroke();
  context.globalAlpha = 1;
}
