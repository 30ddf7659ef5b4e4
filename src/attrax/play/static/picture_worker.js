/** Longer work on pictures and sequences, away from the page: storing, and radii of what is stored. */

import { spectrum } from "./iterate.js";
import { radiusOf } from "./eigen.js";
import { trainScores, winnerTakeAll } from "./winner.js";

/** @param {(message: any) => void} post */
export function pictureWorker(post) {
  /** @param {any} message */
  return (message) => {
    if (message.kind === "store") {
      const { points, shape, epochs, seed } = message;
      const training = trainScores(points, shape, points.length === 1 ? 0 : epochs, seed);
      let told = performance.now();
      let step = training.next();
      for (; !step.done; step = training.next()) {
        if (performance.now() - told < 100) continue;
        told = performance.now();
        post({ kind: "storing", ...step.value });
      }
      post({ kind: "stored", network: winnerTakeAll(step.value, points, points), job: message.job });
    } else if (message.kind === "radii") {
      message.cycles.forEach((/** @type {Float64Array[]} */ cycle, /** @type {number} */ number) => {
        let values = null;
        try {
          values = spectrum(message.network, cycle);
        } catch {
          // said as a radius that is unknown
        }
        post({ kind: "radius", job: message.job, number, values, radius: values ? radiusOf(values) : NaN });
      });
    }
  };
}
