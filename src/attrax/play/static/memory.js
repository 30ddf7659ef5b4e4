/** From the bytes of an .attrax file to a memory. Nothing in it is executed; what contradicts itself is refused. */

import { ACTIVATIONS } from "./activations.js";
import { FileError, isWhole, readSafetensors } from "./safetensors.js";
import { sha256 } from "./sha256.js";

/** @typedef {import("./mlp.js").Network} Network */
/** @typedef {import("./safetensors.js").Tensor} Tensor */
/** @typedef {{cycle: number[], verdict: string, radius: number, bound: number}} Certified */
/** A memory. `points` lie row by row; `certified` is what Python's certificate says, null where there is none.
 * @typedef {{title: string, network: Network, shape: number[], frame: number[] | null, points: Float64Array[],
 *   successor: number[], cycles: number[][], names: string[], atol: number, rate: number | null, media: string,
 *   vocabulary: string[] | null,
 *   certified: Certified[] | null}} Memory */

const FORMAT = "attrax memory";
/** Format versions. In version 3, a layer may be three vectors in place of a matrix. */
const READABLE = ["2", "3"];
const VERDICTS = ["attractor", "displaced", "not_attractor", "inconclusive"];
const KINDS = new Map([
  ["conv", "a convolutional network"],
  ["recurrent", "a recurrent network"],
]);

/** A shape as Python prints it. @param {number[]} shape */
const tuple = (shape) => (shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`);

/** The checksum that the file has to hold.
 * @param {Map<string, Tensor>} tensors @param {string} text @param {string} version */
function checksum(tensors, text, version) {
  const encoder = new TextEncoder();
  /** @type {Uint8Array[]} */
  const parts = [encoder.encode(`${FORMAT} ${version} ${text}`)];
  for (const name of [...tensors.keys()].sort()) {
    const { type, shape, bytes } = /** @type {Tensor} */ (tensors.get(name));
    parts.push(encoder.encode(`|${name} ${type} ${tuple(shape)}|`), bytes);
  }
  return sha256(parts);
}

/** The cycles of a successor, each from its least index. @param {number[]} successor */
export function cyclesOf(successor) {
  const seen = new Set();
  /** @type {number[][]} */
  const found = [];
  for (let start = 0; start < successor.length; start++) {
    /** @type {number[]} */
    const path = [];
    let index = start;
    while (!seen.has(index)) {
      seen.add(index);
      path.push(index);
      index = successor[index];
    }
    const begin = path.indexOf(index);
    if (begin < 0) continue;
    const loop = path.slice(begin);
    const first = loop.indexOf(Math.min(...loop));
    found.push([...loop.slice(first), ...loop.slice(0, first)]);
  }
  return found.sort((a, b) => a[0] - b[0]);
}

/** @param {boolean} holds @param {string} what */
function need(holds, what) {
  if (!holds) throw new FileError(`damaged: ${what}`);
}

/** @param {Map<string, Tensor>} tensors @param {string} name @param {number[] | null} shape */
function real(tensors, name, shape) {
  const tensor = tensors.get(name);
  if (!tensor || tensor.type === "<i8") throw new FileError(`damaged: it has no numbers called ${name.slice(0, 40)}`);
  if (shape) need(tuple(tensor.shape) === tuple(shape), `${name.slice(0, 40)} is of another shape`);
  return { shape: tensor.shape, values: /** @type {Float32Array | Float64Array} */ (tensor.values) };
}

/** A matrix, which a diagonal plus a matrix of rank one is made into.
 * @param {Map<string, Tensor>} tensors @param {string} name */
function weightOf(tensors, name) {
  if (tensors.has(name) || !tensors.has(`${name}.diagonal`)) return real(tensors, name, null);
  const { shape, values: diagonal } = real(tensors, `${name}.diagonal`, null);
  const count = shape[0];
  need(shape.length === 1 && count <= 5_000, "its layers do not fit together");
  const left = real(tensors, `${name}.left`, [count]).values;
  const right = real(tensors, `${name}.right`, [count]).values;
  const values = new Float64Array(count * count);
  for (let row = 0; row < count; row++) {
    for (let col = 0; col < count; col++) values[row * count + col] = left[row] * right[col];
    values[row * count + row] += diagonal[row];
  }
  return { shape: [count, count], values };
}

/** @param {any} text @param {Map<string, Tensor>} tensors @param {number} size @returns {Network} */
function networkOf(text, tensors, size) {
  const kind = text.map?.kind;
  if (kind === null) throw new FileError("a memory whose map is code of its own, which its file does not hold");
  if (kind !== "mlp") {
    const other = KINDS.get(kind) ?? "a map of an unknown kind";
    throw new FileError(`a memory of ${other}; the playground runs fully connected networks, attrax recall runs all`);
  }
  const { activation, layers: count } = text.map.settings ?? {};
  if (!Object.hasOwn(ACTIVATIONS, activation)) throw new FileError("a memory with an activation unknown to this page");
  need(isWhole(count) && count >= 2 && count <= 10_000, "its number of layers makes no sense");
  const layers = [];
  let cols = size;
  for (let number = 0; number < count; number++) {
    const { shape, values } = weightOf(tensors, `map.weight.${number}`);
    need(shape.length === 2 && shape[1] === cols && shape[0] > 0, "its layers do not fit together");
    const bias = tensors.has(`map.bias.${number}`) ? real(tensors, `map.bias.${number}`, [shape[0]]).values : null;
    need(values.every(Number.isFinite) && (!bias || bias.every(Number.isFinite)), "a weight is not finite");
    layers.push({ rows: shape[0], cols, weight: values, bias });
    cols = shape[0];
  }
  need(cols === size, "its layers do not fit together");
  return { layers, size, activation };
}

/** @param {any} text @param {Map<string, Tensor>} tensors @param {number[][]} cycles @returns {Certified[] | null} */
function certificateOf(text, tensors, cycles) {
  if (!("verdicts" in text)) return null;
  const { verdicts } = text;
  need(
    Array.isArray(verdicts) && verdicts.length === cycles.length && verdicts.every((one) => VERDICTS.includes(one)),
    "its verdicts are not one for each cycle",
  );
  const radii = real(tensors, "certificate.spectral_radius", [cycles.length]).values;
  const bounds = real(tensors, "certificate.upper_bound", [cycles.length]).values;
  return cycles.map((cycle, number) => {
    const contradicts = verdicts[number] === "attractor" && !(bounds[number] < 1);
    need(!contradicts, "its certificate contradicts itself");
    return { cycle, verdict: verdicts[number], radius: radii[number], bound: bounds[number] };
  });
}

/** @param {Uint8Array} content @param {string} title @returns {Memory}
 * @throws {FileError} for any file but a memory of a fully connected network with its patterns */
export function readMemory(content, title) {
  const { tensors, metadata } = readSafetensors(content);
  if (metadata.get("format") !== FORMAT) throw new FileError("not an attrax memory file");
  const version = metadata.get("version") ?? "";
  if (!READABLE.includes(version)) {
    throw new FileError(`of format version ${version.slice(0, 8)}; this page reads ${READABLE.join(" and ")}`);
  }
  const json = metadata.get("memory") ?? "";
  need(metadata.get("checksum") === checksum(tensors, json, version), "its checksum does not match");
  let text;
  try {
    text = JSON.parse(json);
  } catch {
    throw new FileError("damaged: its text can't be read");
  }
  need(typeof text === "object" && text !== null, "its text can't be read");
  const { shape } = text;
  need(Array.isArray(shape) && shape.length > 0 && shape.every((side) => isWhole(side) && side > 0), "its shape");
  const size = shape.reduce((/** @type {number} */ product, /** @type {number} */ side) => product * side, 1);
  if (text.patterns !== true) {
    throw new FileError("saved without its patterns, which the page needs to tell what came back");
  }
  const network = networkOf(text, tensors, size);
  const order = tensors.get("successor");
  need(order?.type === "<i8" && order.shape.length === 1 && order.shape[0] > 0, "it has no successors");
  const successor = Array.from(/** @type {BigInt64Array} */ (order?.values), Number);
  const count = successor.length;
  need(text.examples === count && successor.every((one) => isWhole(one) && one < count), "its successors");
  const { values } = real(tensors, "points", [count, ...shape]);
  need(values.every(Number.isFinite), "a stored number is not finite");
  const cycles = cyclesOf(successor);
  const names = Array.isArray(text.names) && text.names.length === count ? text.names.map(String) : [];
  const { frame } = text;
  const media = text.written?.media;
  const rate = media?.fps ?? media?.rate;
  const atol = typeof text.recovery_atol === "number" && text.recovery_atol >= 0 ? text.recovery_atol : null;
  return {
    title,
    network,
    shape,
    frame: Array.isArray(frame) && frame.every((side) => isWhole(side) && side > 0) ? frame : null,
    points: successor.map((_, index) => Float64Array.from(values.subarray(index * size, (index + 1) * size))),
    successor,
    cycles,
    names: successor.map((_, index) => names[index] ?? `example ${index + 1}`),
    atol: atol ?? Math.sqrt(1e-7 * size),
    rate: typeof rate === "number" && rate > 0 ? rate : null,
    media: typeof media?.kind === "string" ? media.kind : "",
    vocabulary: Array.isArray(media?.vocabulary) ? media.vocabulary.map(String) : null,
    certified: certificateOf(text, tensors, cycles),
  };
}
