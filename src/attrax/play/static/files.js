/** Files that people choose or drop, and pictures to begin with. */

const SIDE = 32;

/** Pictures from files, squared to 32×32 in color. @param {File[]} files
 * @returns {Promise<{points: Float64Array[], shape: number[], names: string[]}>} */
export async function readPictures(files) {
  /** @type {Float64Array[]} */
  const points = [];
  const names = [];
  for (const file of files) {
    const bitmap = await createImageBitmap(file);
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = SIDE;
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
    context.imageSmoothingQuality = "high";
    const cut = Math.min(bitmap.width, bitmap.height);
    context.drawImage(bitmap, (bitmap.width - cut) / 2, (bitmap.height - cut) / 2, cut, cut, 0, 0, SIDE, SIDE);
    const { data } = context.getImageData(0, 0, SIDE, SIDE);
    const point = new Float64Array(SIDE * SIDE * 3);
    for (let p = 0; p < SIDE * SIDE; p++) for (let c = 0; c < 3; c++) point[3 * p + c] = data[4 * p + c] / 255;
    if (points.some((other) => other.every((value, i) => value === point[i]))) continue;
    points.push(point);
    names.push(file.name);
  }
  return { points, shape: [SIDE, SIDE, 3], names };
}

/** Letters, drawn here. */
export function samplePictures() {
  const letters = [..."ABCDEFGHKMRS"];
  const side = 24;
  const points = letters.map((letter) => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = side;
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
    context.fillRect(0, 0, side, side);
    context.fillStyle = "#fff";
    context.font = `bold ${side - 4}px sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(letter, side / 2, side / 2 + 1);
    const { data } = context.getImageData(0, 0, side, side);
    return Float64Array.from({ length: side * side }, (_, p) => data[4 * p] / 255);
  });
  return { points, shape: [side, side], names: letters };
}

/** A film of a turning bar, 12 frames. */
export function sampleFilm() {
  const side = 24;
  const points = Array.from({ length: 12 }, (_, frame) => {
    const angle = (Math.PI * frame) / 12;
    return Float64Array.from({ length: side * side }, (_, p) => {
      const x = (p % side) - (side - 1) / 2;
      const y = Math.floor(p / side) - (side - 1) / 2;
      const across = Math.abs(x * Math.sin(angle) - y * Math.cos(angle));
      return Math.hypot(x, y) < 11 ? Math.max(0, Math.min(1, 2.5 - across)) : 0;
    });
  });
  return { points, shape: [side, side], names: points.map((_, frame) => `frame ${frame + 1}`) };
}

/** A tune: eight tones of an eighth of a second, all different, as equal states can't have different successors. */
export function sampleTune() {
  const rate = 8000;
  const length = 1000;
  const tones = [0, 4, 7, 12, 9, 5, 11, 2].map((half) => 262 * 2 ** (half / 12));
  const points = tones.map((hertz) =>
    Float64Array.from({ length }, (_, t) => {
      const fade = Math.min(1, t / 60, (length - 1 - t) / 200);
      return (
        0.5 * fade * (Math.sin((2 * Math.PI * hertz * t) / rate) + 0.3 * Math.sin((4 * Math.PI * hertz * t) / rate))
      );
    }),
  );
  return { points, shape: [length], names: tones.map((hertz) => `${Math.round(hertz)} Hz`), rate };
}
