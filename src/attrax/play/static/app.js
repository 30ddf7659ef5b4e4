/** The entry of the page: its tabs, and the files that are opened or dropped on it. */

import { byId, tell } from "./dom.js";
import { add, hasCycles } from "./library.js";
import { readMemory } from "./memory.js";
import { isOfPictures, startPictures } from "./pictures.js";
import { startPlane } from "./plane.js";
import { startSequences } from "./sequences.js";

const TABS = ["plane", "pictures", "sequences"];

const plane = startPlane();
const pictures = startPictures();
const sequences = startSequences();
/** @type {Record<string, {draw: () => void}>} */
const parts = { plane, pictures, sequences };

/** @param {string} name @param {boolean} [focus] */
function select(name, focus = false) {
  for (const one of TABS) {
    const tab = byId(`tab-${one}`);
    tab.setAttribute("aria-selected", String(one === name));
    tab.tabIndex = one === name ? 0 : -1;
    byId(one).hidden = one !== name;
  }
  if (focus) byId(`tab-${name}`).focus();
  parts[name].draw();
}

TABS.forEach((name, position) => {
  byId(`tab-${name}`).addEventListener("click", () => select(name));
  byId(`tab-${name}`).addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) select(TABS[(position + step + TABS.length) % TABS.length], true);
  });
});

/** @param {Uint8Array} content @param {string} name @returns {string | null} the tab it is shown in */
function openMemory(content, name) {
  let memory;
  try {
    memory = readMemory(content, name);
  } catch (error) {
    tell(`${name} was not opened: it is ${/** @type {Error} */ (error).message}.`);
    return null;
  }
  if (memory.shape.join() === "2") {
    plane.open(memory);
    return "plane";
  }
  if (!hasCycles(memory) && !isOfPictures(memory)) {
    tell(`${name} was not opened: its states are neither points, nor pictures, nor sequences.`);
    return null;
  }
  add(memory);
  return hasCycles(memory) ? "sequences" : "pictures";
}

/** @param {File[]} files */
async function openFiles(files) {
  const images = files.filter(({ type }) => type.startsWith("image/"));
  for (const file of files) {
    if (images.includes(file)) continue;
    const tab = openMemory(new Uint8Array(await file.arrayBuffer()), file.name);
    if (!tab) continue;
    select(tab);
    tell(`${file.name} is open.`);
  }
  if (images.length) {
    select("pictures");
    pictures.storeFiles(images);
  }
}

byId("open").addEventListener("change", (/** @type {any} */ event) => openFiles([...event.target.files]));
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dropping");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  openFiles([...(event.dataTransfer?.files ?? [])]);
});
for (const query of ["(prefers-color-scheme: dark)", "(min-width: 50rem)"]) {
  matchMedia(query).addEventListener("change", () => Object.values(parts).forEach((part) => part.draw()));
}
addEventListener("resize", () => Object.values(parts).forEach((part) => part.draw()));

let first = null;
for (const element of document.querySelectorAll("script.memory")) {
  const text = atob(element.textContent ?? "");
  const tab = openMemory(
    Uint8Array.from(text, (letter) => letter.charCodeAt(0)),
    element.getAttribute("data-name") ?? "a memory",
  );
  first ??= tab;
}
select(location.hash.startsWith("#plane") ? "plane" : (first ?? "plane"));

// For tests, and for the curious in the console.
/** @type {any} */ (window).attrax = {
  plane: plane.state,
  pictures: pictures.state,
  sequences: sequences.state,
  sound: sequences.sound,
};
document.documentElement.dataset.ready = "true";
