// viewer.js - one photo with one class map over it, on a canvas; reading the map's cells by mouse, finger or arrow keys.
// Flow: page or gallery -> Viewer.show(scene) -> canvas; pointer, keys -> onread(cell).
// Knows nothing of the service, of files, or of what else is on the page. Its size follows its element's width and --most-height.
//   scene  {photo, image, input, map, look, box, name}
//     photo  what drawImage takes, or null: then the heat alone is shown
//     image  {width, height} of the upright photo; box, in its pixels, or null
//     look   {colormap, alpha, follow, sides, smooth, resize, scale, range}; range: null, or one that is common to several maps
import { enlarge, levelsOf, paint, rangeOf } from './heat.js';

const MOST_PIXELS = 1e6; // of the canvas: a slider has to move smoothly on a phone

// A photo with its heat, as pixels of any size. held: what was computed the last time, for what has not changed since.
export function compose({ photo, map, look }, width, height, held = {}) {
  const pixels = keep(held, 'pixels', [photo, width, height], () => pixelsOf(photo, width, height));
  if (!map) return pixels;
  const plane = keep(held, 'plane', [map, width, height, look.smooth, look.resize], () => enlarge(map, width, height, look)), scale = look.sides ? 'sides' : look.scale;
  const levels = keep(held, 'levels', [plane, scale, look.range?.low, look.range?.high], () => levelsOf(plane, look.range || rangeOf(plane, scale), look.sides));
  const out = new ImageData(width, height);
  paint(pixels.data, levels, look, out.data);
  return out;
}

function keep(held, name, key, make) {
  if (!held[name] || key.some((each, i) => each !== held[name].key[i])) held[name] = { key, value: make() };
  return held[name].value;
}

function pixelsOf(photo, width, height) {
  const canvas = new OffscreenCanvas(width, height), context = canvas.getContext('2d', { willReadFrequently: true });
  context.fillStyle = '#fff'; // what is transparent is white, as for the network
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = 'high';
  if (photo) context.drawImage(photo, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

export class Viewer {
  #canvas = document.createElement('canvas');
  #cell = document.createElement('span');
  #box = document.createElement('span');
  #scene = null;
  #held = {};
  #at = null;      // the cell that is read
  #frame = 0;      // the next drawing, if one is due
  onread = () => {}; // ({x, y}) or (null): which cell of the map is read

  constructor(element) {
    this.element = element;
    this.#cell.className = 'cell';
    this.#box.className = 'box';
    element.append(this.#canvas, this.#box, this.#cell);
    element.tabIndex = 0;
    element.setAttribute('role', 'application');
    element.setAttribute('aria-roledescription', 'picture');
    element.addEventListener('pointermove', (event) => this.#read(this.#cellAt(event)));
    element.addEventListener('pointerdown', (event) => this.#read(this.#cellAt(event)));
    element.addEventListener('pointerleave', (event) => { if (event.pointerType === 'mouse') this.#read(null); });
    element.addEventListener('blur', () => this.#read(null));
    element.addEventListener('keydown', (event) => this.#step(event));
    new ResizeObserver(() => this.#later()).observe(element);
  }

  show(scene) {
    if (scene.map?.width !== this.#scene?.map?.width || scene.map?.height !== this.#scene?.map?.height) this.#at = null;
    this.#scene = scene;
    this.element.style.setProperty('--ratio', scene.image.width / scene.image.height);
    this.element.setAttribute('aria-label', scene.name);
    this.#outline(this.#box, scene.box, scene.image);
    this.#mark();
    this.#later();
  }

  #later() {
    this.#frame ||= requestAnimationFrame(() => { this.#frame = 0; this.#draw(); });
  }

  #draw() {
    const box = this.element.getBoundingClientRect();
    if (!this.#scene || !box.width || !box.height) return;
    const scale = Math.min(devicePixelRatio, Math.sqrt(MOST_PIXELS / (box.width * box.height)));
    const width = Math.max(1, Math.round(box.width * scale)), height = Math.max(1, Math.round(box.height * scale));
    if (this.#canvas.width !== width || this.#canvas.height !== height) Object.assign(this.#canvas, { width, height });
    if (!this.#scene.photo && !this.#scene.map) return this.#canvas.getContext('2d').clearRect(0, 0, width, height);
    this.#canvas.getContext('2d').putImageData(compose(this.#scene, width, height, this.#held), 0, 0);
    this.element.dispatchEvent(new Event('drawn'));
  }

  #outline(span, box, of) {
    span.hidden = !box;
    if (!box) return;
    span.style.left = `${100 * box.x / of.width}%`;
    span.style.top = `${100 * box.y / of.height}%`;
    span.style.width = `${100 * box.width / of.width}%`;
    span.style.height = `${100 * box.height / of.height}%`;
  }

  // ---- reading cells ----
  #cellAt({ clientX, clientY }) {
    const map = this.#scene?.map, box = this.element.getBoundingClientRect();
    if (!map) return null;
    const index = (at, from, size, n) => Math.min(n - 1, Math.max(0, Math.floor((at - from) / size * n)));
    return { x: index(clientX, box.left, box.width, map.width), y: index(clientY, box.top, box.height, map.height) };
  }

  #step(event) {
    const map = this.#scene?.map, steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === 'Escape') this.#read(null);
    if (!map || !steps || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const from = this.#at || { x: Math.floor(map.width / 2) - steps[0], y: Math.floor(map.height / 2) - steps[1] };
    this.#read({ x: Math.min(map.width - 1, Math.max(0, from.x + steps[0])), y: Math.min(map.height - 1, Math.max(0, from.y + steps[1])) });
  }

  #read(cell) {
    if (cell?.x === this.#at?.x && cell?.y === this.#at?.y) return;
    this.#at = cell;
    this.#mark();
    this.onread(cell);
  }

  #mark() {
    const map = this.#scene?.map;
    this.#outline(this.#cell, this.#at && map && { ...this.#at, width: 1, height: 1 }, map);
  }
}
