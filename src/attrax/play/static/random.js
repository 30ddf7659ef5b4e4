/** Random numbers from a seed: the same seed gives the same page. Python's generator is another one. */

/** @typedef {() => number} Random uniform on [0, 1) */

/** Bob Jenkins' small fast generator. @param {number} seed @returns {Random} */
export function seeded(seed) {
  let a = 0xf1ea5eed;
  let b = seed | 0;
  let c = b;
  let d = b;
  const next = () => {
    const e = (a - ((b << 27) | (b >>> 5))) | 0;
    a = b ^ ((c << 17) | (c >>> 15));
    b = (c + d) | 0;
    c = (d + e) | 0;
    d = (e + a) | 0;
    return (d >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 20; i++) next();
  return next;
}

/** A standard normal number. @param {Random} random */
export function gaussian(random) {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
