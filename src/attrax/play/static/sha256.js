/** SHA-256. A page from a file is no secure context everywhere, and only there browsers offer their own. */

/** The first 32 bits of the fractional part of the `power`-th root of each of the first primes.
 * @param {number} count @param {number} power */
function fractions(count, power) {
  const found = [];
  for (let candidate = 2; found.length < count; candidate++) {
    let prime = true;
    for (let i = 2; i * i <= candidate; i++) if (candidate % i === 0) prime = false;
    if (prime) {
      const root = candidate ** (1 / power);
      found.push(((root - Math.floor(root)) * 2 ** 32) >>> 0);
    }
  }
  return found;
}

const ROUND = new Uint32Array(fractions(64, 3));
const START = new Uint32Array(fractions(8, 2));

/** The digest as 64 hexadecimal digits. @param {Uint8Array[]} parts of the message, in order */
export function sha256(parts) {
  const state = START.slice();
  const words = new Uint32Array(64);
  const block = new Uint8Array(64);
  let filled = 0;
  let total = 0;

  const mix = () => {
    for (let i = 0; i < 16; i++) {
      words[i] = (block[4 * i] << 24) | (block[4 * i + 1] << 16) | (block[4 * i + 2] << 8) | block[4 * i + 3];
    }
    for (let i = 16; i < 64; i++) {
      const x = words[i - 15];
      const y = words[i - 2];
      const s = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const t = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      words[i] = (words[i - 16] + s + words[i - 7] + t) | 0;
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i++) {
      const s = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const one = (h + s + ((e & f) ^ (~e & g)) + ROUND[i] + words[i]) | 0;
      const t = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const two = (t + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + one) | 0;
      d = c;
      c = b;
      b = a;
      a = (one + two) | 0;
    }
    [a, b, c, d, e, f, g, h].forEach((value, i) => {
      state[i] += value;
    });
  };

  /** @param {Uint8Array} bytes */
  const add = (bytes) => {
    total += bytes.length;
    for (let from = 0; from < bytes.length;) {
      const count = Math.min(64 - filled, bytes.length - from);
      for (let i = 0; i < count; i++) block[filled + i] = bytes[from + i];
      filled += count;
      from += count;
      if (filled === 64) {
        mix();
        filled = 0;
      }
    }
  };

  parts.forEach(add);
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(total) * 8n);
  const padding = new Uint8Array(((119 - (total % 64)) % 64) + 1);
  padding[0] = 0x80;
  add(padding);
  add(length);
  return [...state].map((word) => word.toString(16).padStart(8, "0")).join("");
}
