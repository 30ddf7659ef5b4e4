/** Networks on the plane in training, away from the page: several seeds in turn, with snapshots to draw. */

import { distance, Iteration, nearest, spectrum } from "./iterate.js";
import { forward } from "./mlp.js";
import { gaussian, seeded } from "./random.js";
import { forwardBatch, Trainer } from "./training.js";

/** @typedef {import("./training.js").Recipe} Recipe */
/** @typedef {import("./mlp.js").Network} Network */
/** @typedef {{recipe: Recipe & {epochs: number, noise: number, seeds: number}, points: number[][], successor: number[],
 *   cycles: number[][], grid: number, reach: number}} Setup */

/** Milliseconds of training between two looks at the messages, and between two snapshots. */
const TURN = 40;
const SNAPSHOT = 200;
/** Losses on record. */
const CURVE = 300;
/** A snapshot may take one part in so many of the time. */
const SHARE = 6;

/** @param {Network} network @param {number} grid @param {number} reach images of the corners of a grid of cells */
export function fieldOf(network, grid, reach) {
  const states = new Float64Array(2 * grid * grid);
  for (let row = 0; row < grid; row++) {
    for (let col = 0; col < grid; col++) {
      states[2 * (row * grid + col)] = -reach + (2 * reach * col) / (grid - 1);
      states[2 * (row * grid + col) + 1] = reach - (2 * reach * row) / (grid - 1);
    }
  }
  return forwardBatch(network, states, grid * grid);
}

/** For each stored cycle: how far its states are from being mapped to each other, and the eigenvalues along it.
 * @param {Network} network @param {number[][]} points @param {number[][]} cycles */
export function cyclesAt(network, points, cycles) {
  return cycles.map((cycle) => {
    const states = cycle.map((index) => Float64Array.from(points[index]));
    const error = Math.max(
      ...states.map((state, step) => distance(forward(network, state), states[(step + 1) % states.length])),
    );
    try {
      return { values: spectrum(network, states), error };
    } catch {
      return { values: [{ re: NaN, im: 0 }], error };
    }
  });
}

/** What trains in the worker. @param {(message: any, transfer?: any[]) => void} post */
export function planeWorker(post) {
  /** @type {Setup | null} */
  let setup = null;
  /** @type {Trainer[]} */
  let trainers = [];
  /** @type {{epoch: number, loss: number}[][]} */
  let losses = [];
  /** @type {import("./random.js").Random} */
  let random = seeded(1);
  let running = false;
  let looping = false;
  let shown = 0;
  let cost = 0;
  let spent = 0;
  let epochs = 0;
  /** Counts the setups, so that a loop from before one ends. */
  let generation = 0;

  const flat = (/** @type {number[]} */ order) =>
    Float64Array.from(order.flatMap((index) => setup?.points[index] ?? []));

  function snapshot() {
    if (!setup) return;
    const began = performance.now();
    const { points, cycles, grid, reach } = setup;
    trainers.forEach((trainer, number) => {
      const network = trainer.network();
      const finite = Number.isFinite(trainer.loss) || trainer.epoch === 0;
      post({
        kind: "snapshot",
        number,
        epoch: trainer.epoch,
        loss: trainer.loss,
        losses: losses[number],
        rate: spent ? epochs / (spent / 1000) : 0,
        diverged: !finite,
        network: {
          ...network,
          layers: trainer.layers.map((layer) => ({ ...layer, weight: layer.weight.slice(), bias: layer.bias.slice() })),
        },
        field: finite ? fieldOf(network, grid, reach) : null,
        cycles: finite && points.length ? cyclesAt(network, points, cycles) : [],
        running,
      });
    });
    shown = performance.now();
    cost = shown - began;
    if (running) spent += cost;
  }

  function turn() {
    if (!setup) return;
    const { recipe, points } = setup;
    const begun = performance.now();
    const going = () =>
      trainers.filter(({ epoch, loss }) => epoch < recipe.epochs && (epoch === 0 || Number.isFinite(loss)));
    do {
      for (const trainer of going()) {
        const share = Math.min(1, trainer.epoch / recipe.epochs);
        trainer.rate = recipe.rate * Math.max(0.01, 0.5 * (1 + Math.cos(Math.PI * share)));
        const noise = recipe.noise * Math.max(0, 1 - share / 0.7);
        const clean = flat(points.map((_, index) => index));
        trainer.inputs = noise ? clean.map((value) => value + noise * gaussian(random)) : clean;
        trainer.train();
        epochs += 1;
        if (
          trainer.epoch % Math.ceil(recipe.epochs / CURVE) === 1 ||
          recipe.epochs <= CURVE ||
          trainer.epoch === recipe.epochs
        ) {
          losses[trainers.indexOf(trainer)].push({ epoch: trainer.epoch, loss: trainer.loss });
        }
      }
    } while (performance.now() - begun < TURN && going().length);
    spent += performance.now() - begun;
    if (!going().length) running = false;
    if (!running || performance.now() - shown > Math.max(SNAPSHOT, SHARE * cost)) snapshot();
  }

  async function loop() {
    if (looping) return;
    looping = true;
    while (running) {
      turn();
      await new Promise((go) => setTimeout(go));
    }
    looping = false;
  }

  /** Basins without interpolation, in rows from coarse to fine. @param {Network} network @param {number} side
   * @param {number} reach @param {number[][]} points @param {number[][]} cycles @param {number} number */
  async function exactBasins(network, side, reach, points, cycles, number) {
    const mine = ++generation;
    const stored = points.map((point) => Float64Array.from(point));
    const owner = new Map(cycles.flatMap((cycle, index) => cycle.map((point) => [point, index])));
    const rows = Array.from({ length: side }, (_, row) => row).sort((a, b) => ((a * 7) % side) - ((b * 7) % side));
    for (const row of rows) {
      const ends = new Int16Array(side);
      for (let col = 0; col < side; col++) {
        const cue = [-reach + (2 * reach * (col + 0.5)) / side, reach - (2 * reach * (row + 0.5)) / side];
        const course = new Iteration(network, Float64Array.from(cue)).settle(300);
        const found =
          course.diverged || !stored.length ? { index: -1, distance: Infinity } : nearest(course.state, stored);
        ends[col] = course.diverged ? -2 : found.distance < 1e-3 ? (owner.get(found.index) ?? -1) : -1;
      }
      await new Promise((go) => setTimeout(go));
      if (mine !== generation) return;
      post({ kind: "basins", number, row, side, ends });
    }
    post({ kind: "basins done", number });
  }

  /** @param {any} message */
  return (message) => {
    generation += 1;
    if (message.kind === "setup") {
      setup = message.setup;
      running = false;
      spent = epochs = 0;
      random = seeded(message.setup.recipe.seed + 99);
      const { points, successor, recipe } = message.setup;
      const inputs = flat(points.map((/** @type {number[]} */ _, /** @type {number} */ index) => index));
      trainers = Array.from({ length: recipe.seeds }, (_, number) => {
        return new Trainer(inputs, flat(successor), 2, { ...recipe, seed: recipe.seed + number });
      });
      losses = trainers.map(() => []);
      snapshot();
    } else if (message.kind === "run") {
      if (!setup || !setup.points.length) return;
      if (trainers.every((trainer) => trainer.epoch >= message.epochs))
        message.epochs = trainers[0].epoch + message.more;
      setup.recipe.epochs = message.epochs;
      running = true;
      loop();
    } else if (message.kind === "pause") {
      running = false;
      snapshot();
    } else if (message.kind === "basins") {
      exactBasins(message.network, message.side, message.reach, message.points, message.cycles, message.number);
    }
  };
}
