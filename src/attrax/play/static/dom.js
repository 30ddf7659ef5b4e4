/** Small helpers for the page's elements. */

/** The element with this id. @param {string} id @returns {any} */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element ${id}`);
  return found;
}

/** A new element. @param {string} tag @param {Record<string, any>} [properties] @param {(Node | string)[]} children
 * @returns {any} */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== "list") /** @type {any} */ (element)[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Tells everybody, screen readers too. @param {string} text */
export function tell(text) {
  byId("status").textContent = text;
}

/** A worker in one of the roles of worker.js. It is made from the text in the page, so that it works from a file.
 * @param {string} role @param {(message: any) => void} hear */
export function startWorker(role, hear) {
  const text = byId("worker-source").textContent;
  const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  const worker = new Worker(address);
  worker.onmessage = ({ data }) => hear(data);
  worker.onerror = (event) => tell(`The computation failed: ${event.message}`);
  worker.postMessage({ kind: "role", role });
  return worker;
}

/** A number for people. @param {number} value */
export function shown(value) {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e-3 && size < 1e4 ? value.toPrecision(4) : value.toExponential(1);
}

/** A number of steps for people. @param {number} steps */
export const counted = (steps) => `${steps} ${steps === 1 ? "step" : "steps"}`;

/** Calls once per frame at most. @param {() => void} draw @returns {() => void} */
export function perFrame(draw) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  };
}
