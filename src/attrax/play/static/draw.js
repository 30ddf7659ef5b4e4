/** Drawing on canvases: colors of the page, pictures, curves, eigenvalues. */

/** Colors of attractors, told apart by most people with color blindness (after Okabe and Ito). */
const COLORS = [
  "#0072b2",
  "#e69f00",
  "#009e73",
  "#cc79a7",
  "#56b4e9",
  "#d55e00",
  "#b3a900",
  "#7b5cc4",
  "#8c564b",
  "#5f8f3e",
];

/** @param {number} index */
export const colorOf = (index) => COLORS[index % COLORS.length];

/** @param {number} index @returns {[number, number, number]} */
export function rgbOf(index) {
  const number = parseInt(colorOf(index).slice(1), 16);
  return [number >> 16, (number >> 8) & 255, number & 255];
}

/** A color of the page by its name in the style sheet. @param {string} name */
export const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** A context in CSS pixels, cleared, sharp on dense screens. @param {HTMLCanvasElement} canvas
 * @returns {{context: CanvasRenderingContext2D, width: number, height: number}} */
export function ready(canvas) {
  const width = canvas.clientWidth || 300;
  const height = canvas.clientHeight || 150;
  const dense = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * dense) || canvas.height !== Math.round(height * dense)) {
    canvas.width = Math.round(width * dense);
    canvas.height = Math.round(height * dense);
  }
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(dense, 0, 0, dense, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

/** Height, width and channels of a picture; null for other states. @param {number[]} shape */
export function pictureShape(shape) {
  const [height, width, channels = 1] = shape;
  const fits = shape.length === 2 || (shape.length === 3 && (channels === 1 || channels === 3));
  return fits ? { height, width, channels } : null;
}

/** Pixels of a state with values from 0 to 1. @param {ArrayLike<number>} state
 * @param {{height: number, width: number, channels: number}} shape */
function imageOf(state, { height, width, channels }) {
  const image = new ImageData(width, height);
  for (let p = 0; p < width * height; p++) {
    for (let c = 0; c < 3; c++) image.data[4 * p + c] = 255 * state[p * channels + (channels === 3 ? c : 0)];
    image.data[4 * p + 3] = 255;
  }
  return image;
}

/** Draws a state as a picture, in its own pixels; the style sheet enlarges it. @param {HTMLCanvasElement} canvas
 * @param {ArrayLike<number>} state @param {{height: number, width: number, channels: number}} shape */
export function drawPicture(canvas, state, shape) {
  if (canvas.width !== shape.width) canvas.width = shape.width;
  if (canvas.height !== shape.height) canvas.height = shape.height;
  canvas.getContext("2d")?.putImageData(imageOf(state, shape), 0, 0);
}

/** Draws a state of any shape as a curve. @param {HTMLCanvasElement} canvas @param {ArrayLike<number>} state */
export function drawWave(canvas, state) {
  const { context, width, height } = ready(canvas);
  let most = 1e-9;
  for (let i = 0; i < state.length; i++) most = Math.max(most, Math.abs(state[i]));
  context.strokeStyle = ink("link");
  context.beginPath();
  for (let i = 0; i < state.length; i++) {
    context.lineTo((i / Math.max(1, state.length - 1)) * width, height / 2 - (0.45 * height * state[i]) / most);
  }
  context.stroke();
}

/** Eigenvalues and the unit circle. @param {HTMLCanvasElement} canvas
 * @param {{values: {re: number, im: number}[], color: string}[]} spectra */
export function drawEigenvalues(canvas, spectra) {
  const { context, width, height } = ready(canvas);
  let reach = 1.25;
  for (const { values } of spectra)
    for (const { re, im } of values) reach = Math.max(reach, 1.1 * Math.hypot(re, im) || 0);
  const unit = Math.min(width, height) / 2 / reach;
  const [x, y] = [width / 2, height / 2];
  context.strokeStyle = ink("line");
  context.beginPath();
  context.moveTo(0, y);
  context.lineTo(width, y);
  context.moveTo(x, 0);
  context.lineTo(x, height);
  context.stroke();
  context.strokeStyle = ink("soft");
  context.beginPath();
  context.arc(x, y, unit, 0, 7);
  context.stroke();
  for (const { values, color } of spectra) {
    context.fillStyle = color;
    for (const { re, im } of values) {
      context.beginPath();
      context.arc(x + unit * re, y - unit * im, 3.5, 0, 7);
      context.fill();
    }
  }
}

/** Losses on a logarithmic scale against epochs. @param {HTMLCanvasElement} canvas
 * @param {{epoch: number, loss: number}[][]} curves */
export function drawLosses(canvas, curves) {
  const { context, width, height } = ready(canvas);
  const points = curves.flat().filter(({ loss }) => loss > 0);
  if (!points.length) return;
  const last = Math.max(...points.map(({ epoch }) => epoch), 1);
  const logs = points.map(({ loss }) => Math.log10(loss));
  const [low, high] = [Math.floor(Math.min(...logs, -4)), Math.ceil(Math.max(...logs, 0))];
  const edge = 18; // above and below the curves, for the labels
  context.font = "12px system-ui, sans-serif";
  context.fillStyle = ink("soft");
  context.fillText(`1e${high}`, 2, 12);
  context.fillText(`1e${low}`, 2, height - 4);
  context.textAlign = "right";
  context.fillText(`${last} epochs`, width - 2, height - 4);
  context.textAlign = "left";
  curves.forEach((curve, index) => {
    context.strokeStyle = colorOf(index);
    context.beginPath();
    for (const { epoch, loss } of curve) {
      if (loss > 0)
        context.lineTo((epoch / last) * width, edge + ((high - Math.log10(loss)) / (high - low)) * (height - 2 * edge));
    }
    context.stroke();
  });
}
