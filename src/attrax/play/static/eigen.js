/** Eigenvalues of general real matrices: balancing, Hessenberg form by reflections, double-shift QR iteration. */

const EPSILON = Number.EPSILON;
const PATIENCE = 60;

/** @typedef {{re: number, im: number}} Complex */

/** Scales rows and columns by powers of two until they are of like size. @param {Float64Array} a @param {number} n */
function balance(a, n) {
  for (let changed = true; changed;) {
    changed = false;
    for (let i = 0; i < n; i++) {
      let row = 0;
      let column = 0;
      for (let j = 0; j < n; j++) {
        if (j === i) continue;
        column += Math.abs(a[j * n + i]);
        row += Math.abs(a[i * n + j]);
      }
      if (row === 0 || column === 0) continue;
      let factor = 1;
      const sum = row + column;
      while (column < row / 2) {
        factor *= 2;
        column *= 4;
      }
      while (column > row * 2) {
        factor /= 2;
        column /= 4;
      }
      if (factor === 1 || (column + row) / factor >= 0.95 * sum) continue;
      changed = true;
      for (let j = 0; j < n; j++) {
        a[i * n + j] /= factor;
        a[j * n + i] *= factor;
      }
    }
  }
}

/** Zeros below the first subdiagonal, by Householder reflections from both sides.
 * @param {Float64Array} a @param {number} n */
function toHessenberg(a, n) {
  const v = new Float64Array(n);
  const sums = new Float64Array(n);
  for (let k = 0; k < n - 2; k++) {
    let scale = 0;
    for (let i = k + 1; i < n; i++) scale = Math.max(scale, Math.abs(a[i * n + k]));
    if (scale === 0) continue;
    let square = 0;
    for (let i = k + 1; i < n; i++) {
      v[i] = a[i * n + k] / scale;
      square += v[i] * v[i];
    }
    const length = v[k + 1] > 0 ? -Math.sqrt(square) : Math.sqrt(square);
    const half = square - v[k + 1] * length; // half the squared length of the vector of the reflection
    v[k + 1] -= length;
    sums.fill(0);
    for (let i = k + 1; i < n; i++) for (let j = k; j < n; j++) sums[j] += v[i] * a[i * n + j];
    for (let i = k + 1; i < n; i++) {
      const factor = v[i] / half;
      for (let j = k; j < n; j++) a[i * n + j] -= factor * sums[j];
    }
    for (let i = 0; i < n; i++) {
      let sum = 0;
      for (let j = k + 1; j < n; j++) sum += a[i * n + j] * v[j];
      sum /= half;
      for (let j = k + 1; j < n; j++) a[i * n + j] -= sum * v[j];
    }
    for (let i = k + 2; i < n; i++) a[i * n + k] = 0;
  }
}

/** The eigenvalues of an n×n matrix, row by row. Its numbers must be finite.
 * @param {Float64Array} matrix @param {number} n @returns {Complex[]}
 * @throws {Error} if the iteration does not converge */
export function eigenvalues(matrix, n) {
  const h = Float64Array.from(matrix);
  if (!h.every(Number.isFinite)) throw new Error("a matrix with numbers that are not finite has no eigenvalues");
  balance(h, n);
  toHessenberg(h, n);
  /** @type {Complex[]} */
  const found = [];
  let norm = 0;
  for (const entry of h) norm += Math.abs(entry);
  let shift = 0;
  let tries = 0;
  for (let high = n - 1; high >= 0;) {
    let low = high;
    for (; low > 0; low--) {
      const size = Math.abs(h[(low - 1) * n + low - 1]) + Math.abs(h[low * n + low]) || norm;
      if (Math.abs(h[low * n + low - 1]) <= EPSILON * size) {
        h[low * n + low - 1] = 0;
        break;
      }
    }
    let x = h[high * n + high];
    if (low === high) {
      found.push({ re: x + shift, im: 0 });
      high -= 1;
      tries = 0;
      continue;
    }
    let y = h[(high - 1) * n + high - 1];
    let w = h[high * n + high - 1] * h[(high - 1) * n + high];
    if (low === high - 1) {
      found.push(...ofTwo(x, y, w, shift));
      high -= 2;
      tries = 0;
      continue;
    }
    if (tries === PATIENCE) throw new Error("the eigenvalues did not converge");
    if (tries % 10 === 9) {
      shift += x;
      for (let i = 0; i <= high; i++) h[i * n + i] -= x;
      const size = Math.abs(h[high * n + high - 1]) + Math.abs(h[(high - 1) * n + high - 2]);
      x = y = 0.75 * size;
      w = -0.4375 * size * size;
    }
    tries += 1;
    sweep(h, n, low, high, x, y, w);
  }
  return found;
}

/** The eigenvalues of the last two rows. @param {number} x @param {number} y @param {number} w @param {number} shift
 * @returns {Complex[]} */
function ofTwo(x, y, w, shift) {
  const p = 0.5 * (y - x);
  const q = p * p + w;
  const root = Math.sqrt(Math.abs(q));
  if (q < 0) {
    return [
      { re: x + shift + p, im: root },
      { re: x + shift + p, im: -root },
    ];
  }
  const z = p >= 0 ? p + root : p - root;
  return [
    { re: x + shift + z, im: 0 },
    { re: x + shift - (z === 0 ? 0 : w / z), im: 0 },
  ];
}

/** One double QR step on rows and columns low to high. @param {Float64Array} h @param {number} n @param {number} low
 * @param {number} high @param {number} x @param {number} y @param {number} w */
function sweep(h, n, low, high, x, y, w) {
  let p = 0;
  let q = 0;
  let r = 0;
  let begin = high - 2;
  for (; ; begin--) {
    const z = h[begin * n + begin];
    const one = x - z;
    const two = y - z;
    p = (one * two - w) / h[(begin + 1) * n + begin] + h[begin * n + begin + 1];
    q = h[(begin + 1) * n + begin + 1] - z - one - two;
    r = h[(begin + 2) * n + begin + 1];
    const scale = Math.abs(p) + Math.abs(q) + Math.abs(r);
    p /= scale;
    q /= scale;
    r /= scale;
    if (begin === low) break;
    const small = Math.abs(h[begin * n + begin - 1]) * (Math.abs(q) + Math.abs(r));
    const around = Math.abs(h[(begin - 1) * n + begin - 1]) + Math.abs(z) + Math.abs(h[(begin + 1) * n + begin + 1]);
    if (small <= EPSILON * Math.abs(p) * around) break;
  }
  for (let i = begin + 2; i <= high; i++) {
    h[i * n + i - 2] = 0;
    if (i > begin + 2) h[i * n + i - 3] = 0;
  }
  for (let k = begin; k < high; k++) {
    const three = k + 1 < high;
    let scale = 1;
    if (k > begin) {
      p = h[k * n + k - 1];
      q = h[(k + 1) * n + k - 1];
      r = three ? h[(k + 2) * n + k - 1] : 0;
      scale = Math.abs(p) + Math.abs(q) + Math.abs(r);
      if (scale === 0) continue;
      p /= scale;
      q /= scale;
      r /= scale;
    }
    const length = Math.sqrt(p * p + q * q + r * r) * (p < 0 ? -1 : 1);
    if (length === 0) continue;
    if (k > begin) h[k * n + k - 1] = -length * scale;
    else if (low !== begin) h[k * n + k - 1] *= -1;
    p += length;
    const a = p / length;
    const b = q / length;
    const c = r / length;
    q /= p;
    r /= p;
    for (let j = k; j <= high; j++) {
      let sum = h[k * n + j] + q * h[(k + 1) * n + j];
      if (three) {
        sum += r * h[(k + 2) * n + j];
        h[(k + 2) * n + j] -= sum * c;
      }
      h[(k + 1) * n + j] -= sum * b;
      h[k * n + j] -= sum * a;
    }
    const last = Math.min(high, k + 3);
    for (let i = low; i <= last; i++) {
      let sum = a * h[i * n + k] + b * h[i * n + k + 1];
      if (three) {
        sum += c * h[i * n + k + 2];
        h[i * n + k + 2] -= sum * r;
      }
      h[i * n + k + 1] -= sum * q;
      h[i * n + k] -= sum;
    }
  }
}

/** The largest modulus of an eigenvalue; 0 for a matrix of no rows. @param {Complex[]} values */
export const radiusOf = (values) => values.reduce((most, { re, im }) => Math.max(most, Math.hypot(re, im)), 0);
