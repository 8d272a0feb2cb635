// tiles.js - photos in a page that is one file: read from its scripts, drawn as tiles while they are in view and forgotten when they have left, reached by keys.
// Flow: <script class="photo"> (what lists need, read at once) -> tiles; the script behind it (JPEG and maps) is read when its photo comes into view.
// Knows no page: what a photo's tile is, and how its heat looks, is told.
//   photo  {file, error} or {file, image, predictions: [{rank, class_id, label, probability, box}]}, and script, index; while it is open, picture and
//          each label's map
//   tile   an element with a button: photo.tile, photo.button
//   face   one picture of a tile: {well, label()}; photo.faces
import { sentence } from './words.js';
import { compose } from './viewer.js';

const FRAME = 8;             // milliseconds of drawing in one frame, so that scrolling stays smooth
const TILE_PIXELS = 320;     // the longer side of a tile's canvas: small photos are enlarged
const FAR = '600px';         // how far from the screen tiles are drawn already

export const make = (name, className, text = '') => Object.assign(document.createElement(name), { className, textContent: text });
export const lastPart = (path) => path.slice(path.lastIndexOf('/') + 1);
export const counted = (n, what = 'photo') => `${n.toLocaleString('en')} ${what}${n === 1 ? '' : 's'}`;

export const readPhotos = () => [...document.querySelectorAll('script.photo')].map((script, index) => {
  const photo = { predictions: [], ...JSON.parse(script.textContent), script, index };
  for (const each of photo.predictions) each.box = each.box ? { x: each.box[0], y: each.box[1], width: each.box[2], height: each.box[3] } : null;
  return photo;
});

// ---- one photo's numbers and pixels ----
// Reads what is behind a photo: maps beside its labels, and the picture. Once until it is closed.
export function openPhoto(photo) {
  photo.opening ??= (async () => {
    const { width, height, maps, jpeg } = JSON.parse(photo.script.nextElementSibling.textContent);
    photo.predictions.forEach((each, i) => { each.map = { width, height, values: maps[i] }; });
    photo.picture = await createImageBitmap(new Blob([Uint8Array.from(atob(jpeg), (byte) => byte.charCodeAt(0))], { type: 'image/jpeg' }));
  })();
  return photo.opening;
}

function closePhoto(photo) {
  photo.picture?.close();
  for (const each of photo.predictions) delete each.map;
  photo.picture = photo.opening = null;
}

// A face, with the heat of its label, and its box if it is wanted.
function drawFace(face, photo, look, boxed) {
  const label = face.label(), { width: w, height: h } = photo.picture, scale = TILE_PIXELS / Math.max(w, h);
  const width = Math.max(1, Math.round(w * scale)), height = Math.max(1, Math.round(h * scale));
  face.canvas ??= document.createElement('canvas');
  if (face.canvas.width !== width || face.canvas.height !== height) Object.assign(face.canvas, { width, height });
  const context = face.canvas.getContext('2d');
  context.putImageData(compose({ photo: photo.picture, map: label.map, look }, width, height, face.held ??= {}), 0, 0);
  if (boxed && label.box) outline(context, label.box, width / photo.image.width, height / photo.image.height);
  if (!face.canvas.isConnected) face.well.replaceChildren(face.canvas);
}

function outline(context, { x, y, width, height }, across, down) {
  for (const [colour, line] of [['#000a', 4], ['#fff', 2]]) {
    Object.assign(context, { strokeStyle: colour, lineWidth: line });
    context.strokeRect(x * across + 1, y * down + 1, width * across - 2, height * down - 2);
  }
}

// ---- all of them ----
// element: a list. look(photo): as the viewer has it; boxed(): whether boxes are drawn; isKept(photo): it is needed though its tile is out of view;
// printer: the button that prints, as Ctrl P does.
export class Tiles {
  shown = [];                // photos whose tiles there are, in order
  #waiting = new Set();      // photos in view whose tile is to be drawn
  #inView = new Set();
  #byTile = new Map();
  #drawing = 0;
  #reached = null;           // the one that Tab leads to

  constructor(element, photos, { look, boxed, isKept, printer }) {
    Object.assign(this, { element, look, boxed, isKept });
    this.observer = new IntersectionObserver((entries) => entries.forEach((entry) => this.#came(entry)), { rootMargin: FAR });
    for (const photo of photos) {
      this.#byTile.set(photo.tile, photo);
      photo.button.tabIndex = -1;
      if (photo.error) photo.faces[0].well.append(make('span', 'problem', sentence(photo.error.detail)));
      this.observer.observe(photo.tile);
    }
    element.addEventListener('keydown', (event) => this.#step(event));
    element.addEventListener('focusin', (event) => {
      const photo = this.#byTile.get(event.target.closest('.tile'));
      if (photo && photo !== this.#reached) this.rove(photo);
    });
    printer.onclick = () => this.print();
    addEventListener('keydown', (event) => {
      if (event.key !== 'p' || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      this.print();
    });
  }

  show(photos, none) {
    this.shown = photos;
    this.element.replaceChildren(...photos.map((photo) => photo.tile));
    if (!photos.length) this.element.append(make('li', 'none', none));
    this.rove(photos[0]);
  }

  redraw() {
    for (const photo of this.#inView) this.#drawLater(photo);
  }

  #came({ target, isIntersecting }) {
    const photo = this.#byTile.get(target);
    this.#inView[isIntersecting ? 'add' : 'delete'](photo);
    if (isIntersecting) this.#drawLater(photo);
    else this.release(photo);
  }

  #drawLater(photo) {
    if (photo.error) return;
    this.#waiting.add(photo);
    this.#drawing ||= requestAnimationFrame(() => this.#drawSome());
  }

  #drawSome() {
    const until = performance.now() + FRAME;
    this.#drawing = 0;
    for (const photo of this.#waiting) {
      if (performance.now() > until) break;
      this.#waiting.delete(photo);
      if (photo.picture) this.#draw(photo);
      else openPhoto(photo).then(() => { if (this.#inView.has(photo)) this.#drawLater(photo); }, () => photo.faces[0].well.replaceChildren(make('span', 'problem', 'The picture cannot be read.')));
    }
    if (this.#waiting.size) this.#drawing ||= requestAnimationFrame(() => this.#drawSome());
  }

  #draw(photo) {
    for (const face of photo.faces) drawFace(face, photo, this.look(photo), this.boxed());
  }

  #isFree(photo) {
    return !this.#inView.has(photo) && !this.isKept(photo);
  }

  // Forgets a photo's pixels and numbers unless somebody needs them.
  release(photo) {
    if (!this.#inView.has(photo)) this.#waiting.delete(photo);
    if (!this.#isFree(photo)) return;
    for (const face of photo.faces) {
      face.canvas?.remove();
      face.canvas = face.held = null;
    }
    photo.opening?.then(() => { if (this.#isFree(photo)) closePhoto(photo); }, () => {});
  }

  // On paper there is no scrolling: all tiles are drawn first.
  async print() {
    for (const photo of this.shown) {
      if (photo.error) continue;
      await openPhoto(photo);
      this.#draw(photo);
    }
    window.print();
    for (const photo of this.shown) this.release(photo);
  }

  // ---- keys: one tile can be reached with Tab, the arrows go on from there ----
  rove(photo, focus = false) {
    if (this.#reached) this.#reached.button.tabIndex = -1;
    this.#reached = photo ?? null;
    if (!photo) return;
    photo.button.tabIndex = 0;
    if (focus) photo.button.focus();
  }

  #columns() {
    const top = this.shown[0]?.tile.offsetTop, n = this.shown.findIndex((photo) => photo.tile.offsetTop !== top);
    return n < 0 ? this.shown.length : n;
  }

  #step(event) {
    const at = this.shown.indexOf(this.#reached), steps = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: this.shown.length - 1 };
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === 'ArrowUp') steps.ArrowUp = at - this.#columns();
    if (event.key === 'ArrowDown') steps.ArrowDown = at + this.#columns();
    const to = this.shown[steps[event.key]];
    if (!(event.key in steps)) return;
    event.preventDefault();
    if (to) this.rove(to, true);
  }
}
