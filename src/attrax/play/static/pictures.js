/** Pictures: a stored one is damaged with the mouse, and the network brings it back, or does not. */

import { CORRUPTIONS, spot } from "./cues.js";
import { byId, counted, make, perFrame, shown, startWorker, tell } from "./dom.js";
import { drawEigenvalues, drawPicture, ink, pictureShape } from "./draw.js";
import { readPictures, samplePictures } from "./files.js";
import { distance, Iteration, nearest } from "./iterate.js";
import { add, allMemories, hasCycles, madeHere, onAdded, standing } from "./library.js";
import { seeded } from "./random.js";

/** @typedef {import("./memory.js").Memory} Memory */
/** @typedef {import("./cues.js").Shape} Shape */

/** Epochs of storing: more for small pictures, which are harder to tell apart and quicker to train. */
const epochsFor = (/** @type {number} */ size) => Math.round(Math.min(2000, Math.max(600, 900_000 / size)));
const MOST = 20;
const PATIENCE = 1000;
/** Milliseconds of iteration in a frame. */
const SLICE = 12;

/** @param {Memory} memory */
export const isOfPictures = (memory) => pictureShape(memory.shape) !== null && !hasCycles(memory);

/** Wires the tab. */
export function startPictures() {
  /** @type {Memory | null} */
  let memory = null;
  /** @type {Shape} */
  let shape = { height: 1, width: 1, channels: 1 };
  let chosen = 0;
  let cue = new Float64Array(1);
  /** @type {Iteration | null} */
  let iteration = null;
  let running = false;
  let rate = 0;
  /** @type {{radius: number, values: {re: number, im: number}[] | null}[]} */
  let radii = [];
  let job = 0;
  /** @type {HTMLElement[]} */
  let bars = [];
  /** @type {string} */
  let last = "noise";
  /** Pictures that are being stored. @type {{points: Float64Array[], shape: number[], names: string[]} | null} */
  let storing = null;
  const random = seeded(7);
  const worker = startWorker("pictures", hear);

  /** @param {any} message */
  function hear(message) {
    if (message.kind === "storing") {
      byId("pictures-progress").value = message.share;
    } else if (message.kind === "stored" && storing) {
      byId("pictures-progress").hidden = true;
      const { points, shape: sides, names } = storing;
      storing = null;
      add(
        madeHere({
          title: `${points.length} pictures stored here`,
          network: message.network,
          shape: sides,
          points,
          names,
          successor: points.map((_, index) => index),
        }),
      );
      tell(`Stored ${points.length} pictures in ${((performance.now() - begun) / 1000).toFixed(1)} s.`);
    } else if (message.kind === "radius" && message.job === job) {
      radii[message.number] = message;
      draw();
    }
  }
  let begun = 0;

  /** @param {{points: Float64Array[], shape: number[], names: string[]}} pictures */
  function store(pictures) {
    if (!pictures.points.length) return;
    storing = pictures;
    begun = performance.now();
    byId("pictures-progress").hidden = false;
    byId("pictures-progress").value = 0;
    tell(`Storing ${pictures.points.length} pictures.`);
    worker.postMessage({ kind: "store", ...pictures, epochs: epochsFor(pictures.points[0].length), seed: 0, job: 0 });
  }

  /** @param {Memory} given */
  function open(given) {
    memory = given;
    shape = /** @type {Shape} */ (pictureShape(given.shape));
    byId("pictures-none").hidden = true;
    byId("pictures-stage").hidden = false;
    byId("pictures-memory").value = String(allMemories().indexOf(given));
    byId("pictures-standing").textContent = standing(given);
    byId("pictures-outcome").replaceChildren();
    radii = [];
    job += 1;
    worker.postMessage({
      kind: "radii",
      job,
      network: given.network,
      cycles: given.points.map((point) => [point]),
    });
    bars = given.points.map((point, index) => {
      const canvas = make("canvas", {});
      drawPicture(canvas, point, shape);
      const bar = make("span", { className: "bar" });
      const value = make("span", { className: "value" });
      const button = make(
        "button",
        { type: "button", className: "example", onclick: () => choose(index) },
        canvas,
        make("span", { className: "name" }, given.names[index]),
        bar,
        value,
      );
      return button;
    });
    byId("pictures-examples").replaceChildren(...bars.map((bar) => make("li", {}, bar)));
    choose(0);
  }

  /** @param {number} index of the example to begin with */
  function choose(index) {
    if (!memory) return;
    chosen = index;
    cue = Float64Array.from(memory.points[index]);
    again();
  }

  /** The iteration from the cue as it is now. */
  function again() {
    if (!memory) return;
    iteration = new Iteration(memory.network, cue);
    draw();
  }

  /** @param {string} name of a corruption */
  function corrupt(name) {
    last = name;
    CORRUPTIONS[name].apply(cue, shape, random);
    again();
  }

  function step() {
    iteration?.step();
    draw();
  }

  /** Iterates for a slice of each frame until it has settled. */
  function run() {
    if (!running || !iteration) return;
    const started = performance.now();
    let steps = 0;
    do {
      iteration.step();
      steps += 1;
    } while (performance.now() - started < SLICE && !settled());
    rate = (1000 * steps) / (performance.now() - started);
    draw();
    if (settled() && !painting) setRunning(false);
    requestAnimationFrame(run);
  }

  const settled = () =>
    !iteration || iteration.course.period > 0 || iteration.course.diverged || iteration.course.steps >= PATIENCE;

  /** @param {boolean} wanted */
  function setRunning(wanted) {
    const begins = wanted && !running;
    running = wanted;
    byId("pictures-run").textContent = running ? "Pause" : "Run";
    if (begins) requestAnimationFrame(run);
    else if (!wanted && memory && iteration) tell(verdict());
  }

  /** Where the iteration stands, in words. */
  function verdict() {
    if (!memory || !iteration) return "";
    const { state, steps, period, diverged } = iteration.course;
    if (diverged) return `After ${counted(steps)}: diverged.`;
    const found = nearest(state, memory.points);
    if (!period)
      return `After ${counted(steps)}: nearest to ${memory.names[found.index]}, at distance ${shown(found.distance)}.`;
    if (period > 1) return `After ${counted(steps)}: a spurious cycle of ${period}.`;
    if (found.distance > memory.atol) return `After ${counted(steps)}: an attractor farther than the recovery threshold from every example.`;
    return found.index === chosen
      ? `After ${counted(steps)}: ${memory.names[chosen]} came back.`
      : `After ${counted(steps)}: another example, ${memory.names[found.index]}.`;
  }

  const draw = perFrame(() => {
    if (!memory || !iteration) return;
    const { state } = iteration.course;
    drawPicture(byId("pictures-cue"), cue, shape);
    drawPicture(byId("pictures-state"), state, shape);
    const neighbor = nearest(cue, memory.points);
    drawPicture(byId("pictures-neighbor"), memory.points[neighbor.index], shape);
    byId("pictures-neighbor-name").textContent = `Nearest neighbor of the cue: ${memory.names[neighbor.index]}`;
    byId("pictures-verdict").textContent = verdict() + (running ? ` ${Math.round(rate)} steps/s` : "");
    const away = memory.points.map((point) => distance(state, point));
    const most = Math.max(...away, 1e-12);
    bars.forEach((button, index) => {
      const [, , bar, value] = /** @type {any} */ (button.children);
      bar.style.width = `${(100 * away[index]) / most}%`;
      value.textContent = shown(away[index]);
      button.setAttribute("aria-pressed", String(index === chosen));
      button.classList.toggle("nearest", away[index] === Math.min(...away));
    });
    const at = radii[chosen];
    const certified = memory.certified?.[memory.cycles.findIndex(([index]) => index === chosen)];
    const proved = certified
      ? certified.verdict === "attractor"
        ? " Certified as an attractor by its file."
        : ` Its file says: ${certified.verdict.replace("_", " ")}.`
      : "";
    byId("pictures-radius").textContent = at
      ? `Radius at ${memory.names[chosen]}: ${shown(at.radius)}.${proved}`
      : "Computing the eigenvalues.";
    drawEigenvalues(
      byId("pictures-eigenvalues"),
      at?.values ? [{ values: at.values.length ? at.values : [{ re: 0, im: 0 }], color: ink("link") }] : [],
    );
  });

  /** The last corruption on every example, and where each cue goes. */
  async function test() {
    if (!memory) return;
    const counts = { back: 0, other: 0, spurious: 0, lost: 0, neighbor: 0 };
    const missed = [];
    for (let index = 0; index < memory.points.length; index++) {
      const one = Float64Array.from(memory.points[index]);
      CORRUPTIONS[last].apply(one, shape, random);
      if (nearest(one, memory.points).index === index) counts.neighbor += 1;
      const { state, period, diverged } = new Iteration(memory.network, one).settle(PATIENCE);
      const found = diverged ? { index: -1, distance: Infinity } : nearest(state, memory.points);
      const stored = period === 1 && found.distance <= memory.atol;
      if (stored && found.index === index) counts.back += 1;
      else {
        counts[!period || diverged ? "lost" : stored ? "other" : "spurious"] += 1;
        missed.push({
          index,
          one,
          state,
          what: diverged ? "diverged" : stored ? "another example" : period ? "spurious" : "did not converge",
        });
      }
      if (index % 5 === 4) await new Promise((go) => setTimeout(go));
    }
    const total = memory.points.length;
    const line = [
      `${CORRUPTIONS[last].label}: ${counts.back} of ${total} came back (nearest neighbor ${counts.neighbor});`,
      `${counts.other} went to another example, ${counts.spurious} to spurious attractors or cycles,`,
      `${counts.lost} did not converge.`,
    ].join(" ");
    const list = make("ul", { className: "missed" });
    for (const { index, one, state, what } of missed.slice(0, 24)) {
      const canvases = [memory.points[index], one, state].map((picture) => {
        const canvas = make("canvas", {});
        drawPicture(canvas, picture, shape);
        return canvas;
      });
      list.append(make("li", {}, ...canvases, make("span", {}, `${memory.names[index]}: ${what}`)));
    }
    byId("pictures-outcome").replaceChildren(make("p", {}, line), list);
    tell(line);
  }

  let painting = false;
  const canvas = byId("pictures-cue");
  /** @param {number} x @param {number} y in pixels of the picture */
  function brush(x, y) {
    const tool = byId("pictures-tool").value;
    const size = (Number(byId("pictures-size").value) / 100) * Math.max(shape.width, shape.height);
    const number = parseInt(byId("pictures-color").value.slice(1), 16);
    const rgb = [number >> 16, (number >> 8) & 255, number & 255].map((value) => value / 255);
    const gray = [0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]];
    spot(cue, shape, x, y, Math.max(0.8, size), tool === "erase" ? [0] : shape.channels === 3 ? rgb : gray);
    again();
    if (byId("pictures-live").checked) setRunning(true);
  }
  const at = (/** @type {PointerEvent} */ event) => {
    const box = canvas.getBoundingClientRect();
    brush(
      ((event.clientX - box.left) / box.width) * shape.width,
      ((event.clientY - box.top) / box.height) * shape.height,
    );
  };
  canvas.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
    painting = true;
    canvas.setPointerCapture(event.pointerId);
    at(event);
  });
  canvas.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => painting && at(event));
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => (painting = false));
  let hand = [0.5, 0.5];
  canvas.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const moves = /** @type {Record<string, number[]>} */ ({
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    });
    const move = moves[event.key];
    if (move) {
      hand = hand.map((value, i) => Math.min(1, Math.max(0, value + 0.05 * move[i])));
      tell(`Brush at ${Math.round(100 * hand[0])} % from the left, ${Math.round(100 * hand[1])} % from the top.`);
    } else if (event.key === "Enter" || event.key === " ") brush(hand[0] * shape.width, hand[1] * shape.height);
    else return;
    event.preventDefault();
  });

  for (const [name, { label }] of Object.entries(CORRUPTIONS)) {
    byId("pictures-corruptions").append(
      make("button", { type: "button", id: `pictures-${name}`, onclick: () => corrupt(name) }, label),
    );
  }
  byId("pictures-original").addEventListener("click", () => choose(chosen));
  byId("pictures-step").addEventListener("click", step);
  byId("pictures-run").addEventListener("click", () => {
    if (!running && settled()) again();
    setRunning(!running);
  });
  byId("pictures-back").addEventListener("click", again);
  byId("pictures-test").addEventListener("click", test);
  byId("pictures-sample").addEventListener("click", () => store(samplePictures()));
  byId("pictures-files").addEventListener("change", async (/** @type {any} */ event) =>
    storeFiles([...event.target.files]),
  );
  byId("pictures-memory").addEventListener("change", (/** @type {any} */ event) =>
    open(allMemories()[Number(event.target.value)]),
  );

  /** @param {File[]} files pictures */
  async function storeFiles(files) {
    if (files.length > MOST) tell(`${MOST} pictures are the most this page stores; the first ${MOST} are taken.`);
    try {
      store(await readPictures(files.slice(0, MOST)));
    } catch (error) {
      tell(`A picture could not be read: ${/** @type {Error} */ (error).message}`);
    }
  }

  onAdded((given) => {
    if (!given || !isOfPictures(given)) return;
    byId("pictures-memory").append(make("option", { value: String(allMemories().indexOf(given)) }, given.title));
    open(given);
  });
  return {
    draw,
    storeFiles,
    store,
    state: () => ({ memory, cue, course: iteration?.course, running, radii, rate, storing }),
  };
}
