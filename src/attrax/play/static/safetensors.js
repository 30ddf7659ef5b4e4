/** Reads safetensors: a table of named arrays and texts. Every size is checked before anything is read. */

/** @typedef {Float32Array | Float64Array | BigInt64Array} Values */
/** @typedef {{type: string, shape: number[], values: Values, bytes: Uint8Array}} Tensor */

/** Bytes of an entry, its name in NumPy, and how to look at it. @type {Record<string, [number, string, any]>} */
const TYPES = {
  F32: [4, "<f4", Float32Array],
  F64: [8, "<f8", Float64Array],
  I64: [8, "<i8", BigInt64Array],
};
const LONGEST_HEADER = 25_000_000;

export class FileError extends Error {}

/** @param {unknown} value @returns {value is number} */
export const isWhole = (value) => Number.isSafeInteger(value) && /** @type {number} */ (value) >= 0;

/** @param {Uint8Array} content @returns {{tensors: Map<string, Tensor>, metadata: Map<string, string>}}
 * @throws {FileError} for what is no safetensors file, or has arrays of other types than attrax writes */
export function readSafetensors(content) {
  if (content.length < 10) throw new FileError("too short for an attrax memory file");
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const length = view.getBigUint64(0, true);
  if (length < 2n || length > BigInt(Math.min(content.length - 8, LONGEST_HEADER))) {
    throw new FileError("not an attrax memory file");
  }
  const begin = 8 + Number(length);
  let header;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(content.subarray(8, begin)));
  } catch {
    throw new FileError("not an attrax memory file");
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) {
    throw new FileError("not an attrax memory file");
  }
  /** @type {Map<string, string>} */
  const metadata = new Map();
  /** @type {[string, any][]} */
  const entries = [];
  for (const [name, entry] of Object.entries(header)) {
    if (name !== "__metadata__") entries.push([name, entry]);
    else for (const [key, text] of Object.entries(entry ?? {})) if (typeof text === "string") metadata.set(key, text);
  }
  const room = content.length - begin;
  /** @type {Map<string, Tensor>} */
  const tensors = new Map();
  let covered = 0;
  for (const [name, entry] of entries.sort((a, b) => (a[1]?.data_offsets?.[0] ?? 0) - (b[1]?.data_offsets?.[0] ?? 0))) {
    const type = TYPES[entry?.dtype];
    const { shape, data_offsets: offsets } = entry ?? {};
    if (!type || !Array.isArray(shape) || !Array.isArray(offsets) || offsets.length !== 2) {
      throw new FileError("damaged: an array in it is not described as attrax does");
    }
    const [from, to] = offsets;
    if (![...shape, from, to].every(isWhole) || from !== covered || to < from || to > room) {
      throw new FileError("damaged: its arrays do not lie where it says");
    }
    if (shape.reduce((product, side) => product * side, type[0]) !== to - from) {
      throw new FileError("damaged: an array in it is not of the size it says");
    }
    covered = to;
    const bytes = content.slice(begin + from, begin + to);
    tensors.set(name, { type: type[1], shape, values: new type[2](bytes.buffer), bytes });
  }
  if (covered !== room) throw new FileError("damaged: it holds more than its arrays");
  return { tensors, metadata };
}
