/** The entry of the worker. */

import { pictureWorker } from "./picture_worker.js";
import { planeWorker } from "./plane_worker.js";

const scope = /** @type {any} */ (self);
const post = (/** @type {any} */ message) => scope.postMessage(message);
const roles = { plane: planeWorker, pictures: pictureWorker };
/** @type {((message: any) => void) | null} */
let handle = null;

scope.onmessage = (/** @type {MessageEvent} */ { data }) => {
  if (data.kind === "role") handle = roles[/** @type {"plane" | "pictures"} */ (data.role)](post);
  else handle?.(data);
};
