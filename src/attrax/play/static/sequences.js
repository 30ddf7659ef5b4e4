/** Sequences: films are seen, sounds heard and texts read while the network is iterated, from noise or anywhere. */

import { byId, counted, make, perFrame, shown, tell } from "./dom.js";
import { drawPicture, drawWave, pictureShape } from "./draw.js";
import { sampleFilm, sampleTune } from "./files.js";
import { nearest } from "./iterate.js";
import { add, allMemories, hasCycles, madeHere, onAdded, standing } from "./library.js";
import { forward } from "./mlp.js";
import { gaussian, seeded } from "./random.js";
import { winnerTakeAll } from "./winner.js";

/** @typedef {import("./memory.js").Memory} Memory */

const LONGEST = 400;
const WORDS = 60;

/** The latest frame of a state that holds several. @param {Float64Array} state @param {Memory} memory
 * @returns {ArrayLike<number>} */
export function lastFrame(state, { shape, frame }) {
  if (!frame || String(frame) === String(shape)) return state;
  const row = shape[shape.length - 1];
  const kept = frame.length === 2 ? 1 : frame[frame.length - 1];
  return Float64Array.from(
    { length: (state.length / row) * kept },
    (_, i) => state[Math.floor(i / kept) * row + row - kept + (i % kept)],
  );
}

/** Scores by correlation with each state, less what the states have in common; no training is needed for states that
 * differ as much as these. @param {Float64Array[]} points */
function plainScores(points) {
  const size = points[0].length;
  const mean = new Float64Array(size);
  for (const point of points) point.forEach((value, i) => (mean[i] += value / points.length));
  const weight = new Float64Array(points.length * size);
  const bias = new Float64Array(points.length);
  points.forEach((point, row) => {
    point.forEach((value, i) => {
      weight[row * size + i] = value - mean[i];
      bias[row] -= (value - mean[i]) * (mean[i] + (value - mean[i]) / 2);
    });
  });
  return { weight, bias };
}

/** A cycle of these states, stored here. @param {Float64Array[]} points @param {Partial<Memory> & {title: string,
 * shape: number[], names: string[]}} parts */
function stored(points, parts) {
  const successor = points.map((_, index) => (index + 1) % points.length);
  const network = winnerTakeAll(
    plainScores(points),
    points,
    successor.map((index) => points[index]),
  );
  return madeHere({ ...parts, network, points, successor });
}

/** Wires the tab. */
export function startSequences() {
  /** @type {Memory | null} */
  let memory = null;
  /** @type {Float64Array} */
  let state = new Float64Array(1);
  let steps = 0;
  /** Steps until it came to a stored state, where it has stayed since; null before. @type {number | null} */
  let transient = null;
  let playing = false;
  let due = 0;
  /** @type {string[]} */
  let words = [];
  /** @type {AudioContext | null} */
  let audio = null;
  const random = seeded(11);

  /** @param {Memory} given */
  function open(given) {
    memory = given;
    byId("sequences-none").hidden = true;
    byId("sequences-stage").hidden = false;
    byId("sequences-memory").value = String(allMemories().indexOf(given));
    byId("sequences-standing").textContent = standing(given);
    byId("sequences-listen").hidden = given.media !== "audio";
    byId("sequences-text").hidden = !given.vocabulary;
    byId("sequences-picture").hidden = frameShape() === null;
    byId("sequences-wave").hidden = frameShape() !== null;
    const film = byId("sequences-strip");
    film.replaceChildren(
      ...given.points.slice(0, 24).map((point, index) => {
        const shape = frameShape();
        const canvas = make("canvas", {});
        const button = make(
          "button",
          { type: "button", title: `Begin at ${given.names[index]}`, onclick: () => begin(Float64Array.from(point)) },
          ...(shape ? [canvas] : [given.names[index]]),
        );
        button.setAttribute("aria-label", `Begin at ${given.names[index]}`);
        if (shape) drawPicture(canvas, lastFrame(point, given), shape);
        return make("li", {}, button);
      }),
    );
    noise();
  }

  const frameShape = () => (memory ? pictureShape(memory.frame ?? memory.shape) : null);

  /** @param {Float64Array} from */
  function begin(from) {
    state = from;
    steps = 0;
    transient = null;
    words = [];
    look();
    draw();
  }

  /** Noise about as large as what is stored. */
  function fromNoise() {
    const points = memory ? memory.points : [];
    const all = points.length * state.length || 1;
    let sum = 0;
    let square = 0;
    for (const point of points) {
      for (const value of point) {
        sum += value / all;
        square += (value * value) / all;
      }
    }
    const deviation = Math.sqrt(Math.max(1e-12, square - sum * sum));
    return Float64Array.from(points[0], () => sum + deviation * gaussian(random));
  }

  function noise() {
    if (!memory) return;
    begin(fromNoise());
    tell("From noise.");
  }

  /** Notes when the stored sequence is reached, or left. */
  function look() {
    if (!memory) return;
    const found = nearest(state, memory.points);
    if (!(found.distance <= memory.atol)) transient = null;
    else transient ??= steps;
  }

  function step() {
    if (!memory) return;
    state = forward(memory.network, state);
    steps += 1;
    look();
    if (memory.vocabulary) {
      const frame = Array.from(lastFrame(state, memory));
      words = [...words, memory.vocabulary[frame.indexOf(Math.max(...frame))] ?? "?"].slice(-WORDS);
    }
    draw();
  }

  /** @param {number} now */
  function play(now) {
    if (!playing) return;
    if (now >= due) {
      due = now + 1000 / Number(byId("sequences-speed").value);
      step();
    }
    requestAnimationFrame(play);
  }

  /** @param {boolean} wanted */
  function setPlaying(wanted) {
    const begins = wanted && !playing;
    playing = wanted;
    byId("sequences-play").textContent = playing ? "Pause" : "Play";
    if (begins) requestAnimationFrame(play);
    else if (!wanted) tell(where());
  }

  function where() {
    if (!memory) return "";
    const found = nearest(state, memory.points);
    const cycle = memory.cycles.find((one) => one.includes(found.index));
    const phase = cycle ? `phase ${cycle.indexOf(found.index) + 1} of ${cycle.length}` : "before a cycle";
    const reached =
      transient === null ? "Not on a stored sequence yet." : `On the stored sequence after ${counted(transient)}.`;
    const name = memory.names[found.index];
    return `Step ${steps}. Nearest: ${name} (${phase}), distance ${shown(found.distance)}. ${reached}`;
  }

  const draw = perFrame(() => {
    if (!memory) return;
    const shape = frameShape();
    const frame = lastFrame(state, memory);
    if (shape) drawPicture(byId("sequences-picture"), frame, shape);
    else drawWave(byId("sequences-wave"), frame);
    byId("sequences-where").textContent = where();
    byId("sequences-text").textContent = words.join(" ");
    const found = nearest(state, memory.points);
    [...byId("sequences-strip").children].forEach((item, index) => item.classList.toggle("now", index === found.index));
  });

  /** The sound of the steps from here, as it is heard. @returns {Float32Array} */
  function sound() {
    if (!memory) return new Float32Array(0);
    const rate = memory.rate ?? 8000;
    const pieces = [lastFrame(state, memory)];
    const length = pieces[0].length;
    const count = Math.min(LONGEST, Math.ceil((8 * rate) / length));
    while (pieces.length < count) {
      step();
      pieces.push(lastFrame(state, memory));
    }
    const samples = new Float32Array(length * count);
    pieces.forEach((piece, index) =>
      samples.set(
        Float32Array.from(piece, (value) => Math.max(-1, Math.min(1, value))),
        index * length,
      ),
    );
    return samples;
  }

  function listen() {
    if (!memory) return;
    const rate = memory.rate ?? 8000;
    const samples = sound();
    audio ??= new AudioContext();
    const buffer = audio.createBuffer(1, samples.length, Math.min(96_000, Math.max(8000, rate)));
    buffer.copyToChannel(/** @type {any} */ (samples), 0);
    const source = audio.createBufferSource();
    source.buffer = buffer;
    const gain = audio.createGain();
    gain.gain.value = 0.5;
    source.connect(gain).connect(audio.destination);
    source.start();
    tell(`${(samples.length / rate).toFixed(1)} s of sound. ${where()}`);
  }

  byId("sequences-noise").addEventListener("click", noise);
  byId("sequences-step").addEventListener("click", () => {
    step();
    tell(where());
  });
  byId("sequences-play").addEventListener("click", () => setPlaying(!playing));
  byId("sequences-listen").addEventListener("click", listen);
  byId("sequences-film").addEventListener("click", () => {
    const film = sampleFilm();
    add(
      stored(film.points, {
        title: "A turning bar, stored here",
        shape: film.shape,
        names: film.names,
        media: "video",
        rate: 12,
      }),
    );
  });
  byId("sequences-tune").addEventListener("click", () => {
    const tune = sampleTune();
    add(
      stored(tune.points, {
        title: "A tune, stored here",
        shape: tune.shape,
        names: tune.names,
        media: "audio",
        rate: tune.rate,
      }),
    );
  });
  byId("sequences-memory").addEventListener("change", (/** @type {any} */ event) =>
    open(allMemories()[Number(event.target.value)]),
  );
  onAdded((given) => {
    if (!given || !hasCycles(given) || given.shape.join() === "2") return;
    byId("sequences-memory").append(make("option", { value: String(allMemories().indexOf(given)) }, given.title));
    setPlaying(false);
    open(given);
  });
  return { draw, state: () => ({ memory, state, steps, transient, playing, words }), sound };
}
