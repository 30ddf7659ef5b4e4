/** The activations of attrax by name: value and slope, in float64. Slopes at a kink are those of attrax. */

/** @typedef {{value: (z: number) => number, slope: (z: number) => number}} Activation */

const SELU_RIGHT = 1.0507009873554805;
const SELU_LEFT = SELU_RIGHT * 1.6732632423543772;
const ROOT_PI = Math.sqrt(Math.PI);

/** @param {number} z */
const sigmoid = (z) => (z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z)));

/** The error function: by its series, whose terms are all positive, and beyond 2.5 by a continued fraction.
 * @param {number} x */
export function erf(x) {
  const size = Math.abs(x);
  if (!(size < 6)) return Number.isNaN(x) ? x : Math.sign(x);
  if (size < 2.5) {
    let term = size;
    let sum = size;
    for (let n = 1; term > 1e-17 * sum; n++) {
      term *= (2 * size * size) / (2 * n + 1);
      sum += term;
    }
    return (Math.sign(x) * 2 * sum * Math.exp(-size * size)) / ROOT_PI;
  }
  return Math.sign(x) * (1 - tail(size));
}

/** erfc for x of at least 2.5. @param {number} x */
function tail(x) {
  let below = x;
  for (let n = 60; n > 0; n--) below = x + n / 2 / below;
  return Math.exp(-x * x) / (below * ROOT_PI);
}

/** Φ(z) without cancellation for large negative z. @param {number} z */
function normal(z) {
  const x = -z / Math.SQRT2;
  return x >= 2.5 ? tail(x) / 2 : (1 + erf(-x)) / 2;
}

/** @type {Record<string, Activation>} */
export const ACTIVATIONS = {
  relu: { value: (z) => (z > 0 ? z : z === z ? 0 : z), slope: (z) => (z > 0 ? 1 : 0) },
  leaky_relu: { value: (z) => (z >= 0 ? z : 0.01 * z), slope: (z) => (z >= 0 ? 1 : 0.01) },
  selu: {
    value: (z) => (z > 0 ? SELU_RIGHT * z : SELU_LEFT * Math.expm1(z)),
    slope: (z) => (z > 0 ? SELU_RIGHT : SELU_LEFT * Math.exp(z)),
  },
  swish: { value: (z) => z * sigmoid(z), slope: (z) => sigmoid(z) * (1 + z * sigmoid(-z)) },
  cosid: { value: (z) => Math.cos(z) - z, slope: (z) => -Math.sin(z) - 1 },
  sinusoid: { value: (z) => z + Math.sin(10 * z) / 5, slope: (z) => 1 + 2 * Math.cos(10 * z) },
  tanh: { value: Math.tanh, slope: (z) => 1 / Math.cosh(z) ** 2 },
  sigmoid: { value: sigmoid, slope: (z) => sigmoid(z) * sigmoid(-z) },
  softplus: { value: (z) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))), slope: sigmoid },
  gelu: {
    value: (z) => z * normal(z),
    slope: (z) => normal(z) + (z * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI),
  },
  identity: { value: (z) => z, slope: () => 1 },
  exp: { value: Math.exp, slope: Math.exp },
  erf: { value: erf, slope: (z) => (2 / ROOT_PI) * Math.exp(-z * z) },
  arctan: { value: Math.atan, slope: (z) => 1 / (1 + z * z) },
};
