/** The plane: points and cycles are clicked, a network is trained on them, and what becomes of every state is drawn. */

import { ACTIVATIONS } from "./activations.js";
import { byId, make, perFrame, shown, startWorker, tell } from "./dom.js";
import { colorOf, drawEigenvalues, drawLosses } from "./draw.js";
import { forward } from "./mlp.js";
import { OPTIMIZERS } from "./optimizers.js";
import { addExactRow, drawnBasins, drawPlane, EXACT_SIDE, GRID, noteCycles, REACH, unseen } from "./plane_view.js";
import { cyclesAt, fieldOf } from "./plane_worker.js";
import { fromHash, LIMITS, limited, PRESET, SIX_POINTS, toHash } from "./share.js";

/** @typedef {import("./plane_view.js").Seen} Seen */
/** @typedef {import("./memory.js").Memory} Memory */

const HIT = 0.07;
const LENGTH = 60;
const STEP = 0.05;

/** Wires the tab and returns what others may do with it. */
export function startPlane() {
  /** Cycles of points, in the order in which they were made. @type {number[][][]} */
  let cycles = SIX_POINTS.map((cycle) => cycle.map((point) => [...point]));
  /** @type {number[][]} */
  let open = [];
  /** @type {number[] | null} */
  let cursor = null;
  /** @type {number[][][]} */
  let paths = [];
  /** @type {Seen[]} */
  let seen = [unseen()];
  /** @type {{epoch: number, loss: number}[][]} */
  let losses = [[]];
  /** @type {Memory | null} */
  let memory = null;
  let running = false;
  let computing = false;
  /** @type {HTMLCanvasElement[]} */
  let canvases = [];
  /** @type {HTMLElement[]} */
  let captions = [];

  const worker = startWorker("plane", hear);

  /** @returns {{points: number[][], cycles: number[][], successor: number[]}} */
  function stored() {
    const points = cycles.flat();
    let next = 0;
    const of = cycles.map((cycle) => cycle.map(() => next++));
    const successor = of.flatMap((cycle) => cycle.map((_, position) => cycle[(position + 1) % cycle.length]));
    return { points, cycles: of, successor };
  }

  function recipe() {
    const found = { ...PRESET, activation: byId("plane-activation").value, optimizer: byId("plane-optimizer").value };
    for (const name of Object.keys(LIMITS)) {
      const field = byId(`plane-${name}`);
      const value = limited(name, field.value, /** @type {any} */ (PRESET)[name]);
      if (String(value) !== field.value) field.value = String(value);
      /** @type {any} */ (found)[name] = value;
    }
    return found;
  }

  /** @param {import("./share.js").PlaneRecipe} given */
  function showRecipe(given) {
    for (const [name, value] of Object.entries(given)) byId(`plane-${name}`).value = String(value);
  }

  /** From the start: a new network for the points that there are. */
  function restart() {
    memory = null;
    running = false;
    const wanted = recipe();
    seen = Array.from({ length: wanted.seeds }, unseen);
    losses = seen.map(() => []);
    paths = [];
    layOut(wanted.seeds);
    worker.postMessage({ kind: "setup", setup: { recipe: wanted, ...stored(), grid: GRID, reach: REACH } });
    byId("plane-train").textContent = "Train";
    draw();
  }

  /** @param {number} count of canvases */
  function layOut(count) {
    if (canvases.length === count) return;
    const box = byId("plane-canvases");
    box.replaceChildren();
    box.dataset.count = String(count);
    canvases = [];
    captions = [];
    for (let number = 0; number < count; number++) {
      const canvas = make("canvas", { className: "plane", tabIndex: 0, role: "application" });
      canvas.setAttribute("aria-label", `The plane, network ${number + 1} of ${count}`);
      canvas.setAttribute("aria-describedby", "plane-keys");
      const caption = make("figcaption", {}, "");
      box.append(make("figure", {}, canvas, caption));
      canvases.push(canvas);
      captions.push(caption);
      listen(canvas);
    }
  }

  /** @param {HTMLCanvasElement} canvas */
  function listen(canvas) {
    const place = (/** @type {MouseEvent} */ event) => {
      const box = canvas.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * 2 * REACH - REACH;
      const y = REACH - ((event.clientY - box.top) / box.height) * 2 * REACH;
      return [x, y].map((value) => Math.round(1000 * value) / 1000);
    };
    // A click, as on a phone the finger that comes down may be about to scroll.
    canvas.addEventListener("click", (event) => {
      cursor = null;
      act(place(event));
    });
    canvas.addEventListener("pointermove", (event) => follow(place(event)));
    canvas.addEventListener("pointerleave", () => {
      paths = [];
      draw();
    });
    canvas.addEventListener("blur", () => {
      cursor = null;
      draw();
    });
    canvas.addEventListener("keydown", (event) => {
      const moves = /** @type {Record<string, number[]>} */ ({
        ArrowLeft: [-STEP, 0],
        ArrowRight: [STEP, 0],
        ArrowUp: [0, STEP],
        ArrowDown: [0, -STEP],
      });
      const move = moves[event.key];
      if (move) {
        const from = cursor ?? [0, 0];
        cursor = from.map((value, i) => Math.max(-REACH, Math.min(REACH, Math.round(1000 * (value + move[i])) / 1000)));
        follow(cursor);
        tell(`At ${cursor[0]}, ${cursor[1]}.`);
      } else if (event.key === "Enter" || event.key === " ") {
        if (cursor === null) cursor = [0, 0];
        act(cursor);
      } else if (event.key === "c") closeCycle();
      else if (event.key === "Escape") {
        open = [];
        draw();
      } else return;
      event.preventDefault();
    });
  }

  /** Adds a point, removes one, or goes on with a cycle. @param {number[]} point */
  function act(point) {
    if (memory) {
      tell("This memory is from a file. Choose Six points or Clear to train networks of your own.");
      return;
    }
    const away = (/** @type {number[]} */ other) => Math.hypot(other[0] - point[0], other[1] - point[1]);
    if (open.length && away(open[0]) < HIT) return closeCycle();
    const hit = cycles.findIndex((cycle) => cycle.some((other) => away(other) < HIT));
    if (hit >= 0 && !open.length) {
      cycles.splice(hit, 1);
      tell("Removed.");
      return restart();
    }
    if (cycles.flat().length + open.length >= 60) return tell("60 points are the most this page trains on.");
    if (byId("plane-mode-cycle").checked) {
      open.push(point);
      tell(`${open.length} states of the cycle. Click the first one, or press c, to close it.`);
      return draw();
    }
    cycles.push([point]);
    tell(`A point at ${point[0]}, ${point[1]}.`);
    restart();
  }

  function closeCycle() {
    if (open.length < 2) return tell("A cycle needs at least two states.");
    cycles.push(open);
    open = [];
    tell(`A cycle of ${cycles[cycles.length - 1].length} states.`);
    restart();
  }

  /** The path of a state in each network. @param {number[]} point */
  function follow(point) {
    if (!byId("plane-path").checked) return;
    paths = seen.map(({ network }) => {
      if (!network) return [];
      const states = [point];
      /** @type {Float64Array} */
      let state = Float64Array.from(point);
      for (let step = 0; step < LENGTH && state.every((value) => Math.abs(value) < 10); step++) {
        state = forward(network, state);
        states.push([...state]);
      }
      return states;
    });
    draw();
  }

  /** @param {any} message from the worker */
  function hear(message) {
    if (memory && message.kind === "snapshot") return;
    const one = seen[message.number];
    if (message.kind === "snapshot" && one) {
      Object.assign(one, message, { exact: false });
      noteCycles(one, message.cycles);
      one.basins = drawnBasins(one, stored());
      losses[message.number] = message.losses;
      if (running && !message.running && message.number === seen.length - 1) finished();
      draw();
    } else if (message.kind === "basins" && one) {
      addExactRow(one, message);
      draw();
    } else if (message.kind === "basins done") {
      computing = false;
      one.exact = true;
      tell("These basins are computed state by state.");
      draw();
    }
  }

  function finished() {
    running = false;
    byId("plane-train").textContent = "Train on";
    const counts = seen.map(({ held }) => `${held.filter(Boolean).length} of ${held.length}`);
    tell(
      seen.some(({ diverged }) => diverged)
        ? "Training diverged. Take a smaller learning rate."
        : `Trained. Stored: ${counts.join("; ")}.`,
    );
  }

  function toggle() {
    if (memory) restart();
    if (!cycles.length) return tell("There is nothing to store yet: click into the plane.");
    running = !running;
    byId("plane-train").textContent = running ? "Pause" : "Train on";
    const { epochs } = recipe();
    worker.postMessage(running ? { kind: "run", epochs, more: epochs } : { kind: "pause" });
    tell(running ? "Training." : "Paused.");
  }

  function exact() {
    if (running) toggle();
    computing = true;
    tell("Computing the basins state by state.");
    const { points, cycles: of } = stored();
    const network = seen[0].network;
    if (!network) return;
    worker.postMessage({ kind: "basins", number: 0, network, side: EXACT_SIDE, reach: REACH, points, cycles: of });
  }

  const draw = perFrame(() => {
    const now = stored();
    const shows = { field: byId("plane-field").checked, basins: byId("plane-basins").checked };
    canvases.forEach((canvas, number) => {
      const one = seen[number];
      drawPlane(canvas, one, now, shows, paths[number] ?? [], open, cursor);
      const held = one.held.filter(Boolean).length;
      const speed = one.rate ? `, ${Math.round(one.rate)} epochs/s` : "";
      const what = memory
        ? memory.title
        : `seed ${recipe().seed + number}, epoch ${one.epoch}${speed}, loss ${shown(one.loss)}`;
      captions[number].textContent =
        `${what}: ${held} of ${now.cycles.length} stored${one.diverged ? "; diverged" : ""}`;
    });
    drawEigenvalues(
      byId("plane-eigenvalues"),
      seen[0].cycles.map(({ values }, index) => ({ values, color: colorOf(index) })),
    );
    drawLosses(byId("plane-losses"), losses);
    byId("plane-table").replaceChildren(...now.cycles.map((cycle, index) => row(cycle, index)));
  });

  /** A row of the table. @param {number[]} cycle @param {number} index */
  function row(cycle, index) {
    const radius = seen[0].radii[index];
    const held = seen[0].held[index];
    const [x, y] = stored().points[cycle[0]];
    const where = cycle.length > 1 ? `cycle of ${cycle.length}` : `${x.toFixed(2)}, ${y.toFixed(2)}`;
    const mark = make("span", { className: "mark" }, "");
    mark.style.background = colorOf(index);
    const verdict = memory?.certified
      ? memory.certified[index].verdict === "attractor"
        ? "certified"
        : memory.certified[index].verdict.replace("_", " ")
      : "";
    const state = radius === undefined ? "" : held ? "stored" : !(radius < 1) ? "not attracting" : "not reproduced yet";
    return make(
      "tr",
      {},
      make("td", {}, mark, where),
      make("td", {}, radius === undefined ? "–" : shown(radius)),
      make("td", {}, verdict || state),
    );
  }

  /** Another set of points and settings. @param {import("./share.js").Scene} scene */
  function show(scene) {
    showRecipe(scene.recipe);
    cycles = scene.cycles;
    open = [];
    restart();
  }

  /** A memory of states of two numbers, from a file. @param {Memory} given */
  function openMemory(given) {
    running = false;
    worker.postMessage({ kind: "pause" });
    memory = given;
    cycles = given.cycles.map((cycle) => cycle.map((index) => [...given.points[index]]));
    layOut(1);
    const one = unseen();
    one.network = given.network;
    one.field = fieldOf(given.network, GRID, REACH);
    const { points, cycles: of } = stored();
    noteCycles(one, cyclesAt(given.network, points, of));
    one.basins = drawnBasins(one, stored());
    seen = [one];
    losses = [[]];
    draw();
  }

  for (const name of Object.keys(ACTIVATIONS)) byId("plane-activation").append(make("option", { value: name }, name));
  for (const name of Object.keys(OPTIMIZERS)) byId("plane-optimizer").append(make("option", { value: name }, name));
  showRecipe(PRESET);
  for (const name of [...Object.keys(LIMITS), "activation", "optimizer"])
    byId(`plane-${name}`).addEventListener("change", restart);
  for (const name of ["field", "basins", "path"]) byId(`plane-${name}`).addEventListener("change", draw);
  byId("plane-train").addEventListener("click", toggle);
  byId("plane-reset").addEventListener("click", () => {
    restart();
    tell("A new network, not yet trained.");
  });
  byId("plane-preset").addEventListener("click", () =>
    show({ recipe: PRESET, cycles: SIX_POINTS.map((cycle) => cycle.map((point) => [...point])) }),
  );
  byId("plane-clear").addEventListener("click", () => {
    cycles = [];
    open = [];
    restart();
  });
  byId("plane-close").addEventListener("click", closeCycle);
  byId("plane-exact").addEventListener("click", exact);
  byId("plane-share").addEventListener("click", async () => {
    const address = `${location.href.split("#")[0]}#${toHash({ recipe: recipe(), cycles })}`;
    history.replaceState(null, "", address);
    byId("plane-link").value = address;
    byId("plane-link-box").hidden = false;
    byId("plane-link").select();
    try {
      await navigator.clipboard.writeText(address);
      tell("The link is copied.");
    } catch {
      tell("The link is below and in the address bar.");
    }
  });
  const scene = fromHash(location.hash.slice(1));
  if (scene) show(scene);
  else restart();
  window.addEventListener("hashchange", () => {
    const other = fromHash(location.hash.slice(1));
    if (other) show(other);
  });
  return { draw, open: openMemory, state: () => ({ seen, running, computing, cycles, memory }) };
}
