// gallery.js - the page of `camserve explain --html`: photos as tiles with the heat of a label, one of them large with all its labels. Begin here.
// Flow: <script class="photo"> (what lists need, read at once) -> tiles; the script behind it (JPEG and maps) is read when its photo comes into view
// and forgotten when it leaves. Names and labels reach the page as text, never as markup. `camserve explain` joins this file with the modules that it
// imports.
import { COLORMAPS } from './colormaps.js';
import { firstName, percent, sentence } from './words.js';
import { Labels } from './labels.js';
import { compose, Viewer } from './viewer.js';

const $ = (id) => document.getElementById(id);
const about = JSON.parse($('about').textContent), fields = $('controls').elements;
const FRAME = 8;             // milliseconds of drawing in one frame, so that scrolling stays smooth
const TILE_PIXELS = 320;     // the longer side of a tile's canvas at most
const FAR = '600px';         // how far from the screen tiles are drawn already

// A photo: {file, error} or {file, image, predictions: [{rank, class_id, label, probability, box}]}, and script, tile, words (for the search).
const photos = [...document.querySelectorAll('script.photo')].map((script, index) => {
  const photo = { ...JSON.parse(script.textContent), script, index };
  photo.predictions ??= [];
  photo.words = [photo.file, ...photo.predictions.map((each) => each.label), photo.error?.detail ?? ''].join('\n').toLowerCase();
  for (const each of photo.predictions) each.box = each.box ? { x: each.box[0], y: each.box[1], width: each.box[2], height: each.box[3] } : null;
  return photo;
});
let shown = photos;          // those that are not filtered out, as sorted

// ---- one photo's numbers and pixels ----
// Reads what is behind a photo: maps beside its labels, and the picture. Once until it is closed.
function open(photo) {
  photo.opening ??= (async () => {
    const { width, height, maps, jpeg } = JSON.parse(photo.script.nextElementSibling.textContent);
    photo.predictions.forEach((each, i) => { each.map = { width, height, values: maps[i] }; });
    photo.picture = await createImageBitmap(new Blob([Uint8Array.from(atob(jpeg), (byte) => byte.charCodeAt(0))], { type: 'image/jpeg' }));
  })();
  return photo.opening;
}

function close(photo) {
  photo.picture?.close();
  for (const each of photo.predictions) delete each.map;
  photo.picture = photo.opening = null;
}

// The label that a tile shows: the one that is asked for, else the first.
const labelOf = (photo) => photo.predictions.find((each) => each.label === fields.label.value) ?? photo.predictions[0];
const look = () => ({
  colormap: COLORMAPS['minus' in about ? 'coolwarm' : fields.colormap.value], alpha: fields.alpha.value / 100, follow: true, smooth: true,
  sides: 'minus' in about, resize: about.resize, scale: about.scale, range: null,
});

// ---- tiles ----
const lastPart = (path) => path.slice(path.lastIndexOf('/') + 1);
const make = (name, className, text = '') => Object.assign(document.createElement(name), { className, textContent: text });

for (const photo of photos) {
  photo.tile = make('li', 'tile');
  photo.button = Object.assign(make('button', ''), { type: 'button', title: photo.file, onclick: () => enlarged.open(photo) });
  photo.well = make('span', 'well');
  photo.label = make('span', 'label');
  photo.percent = make('span', 'percent');
  const words = make('span', 'words');
  words.append(photo.label, photo.percent, make('span', 'name', lastPart(photo.file)));
  if (photo.error) photo.well.append(make('span', 'problem', sentence(photo.error.detail)));
  photo.button.append(photo.well, words);
  photo.button.tabIndex = -1;
  photo.tile.append(photo.button);
}

const waiting = new Set();   // photos in view whose tile is to be drawn
const inView = new Set();
let drawing = 0;

function drawLater(photo) {
  if (photo.error) return;
  waiting.add(photo);
  drawing ||= requestAnimationFrame(drawSome);
}

function drawSome() {
  const until = performance.now() + FRAME;
  drawing = 0;
  for (const photo of waiting) {
    if (performance.now() > until) break;
    waiting.delete(photo);
    if (photo.picture) drawTile(photo);
    else open(photo).then(() => { if (inView.has(photo)) drawLater(photo); }, () => photo.well.replaceChildren(make('span', 'problem', 'The picture cannot be read.')));
  }
  if (waiting.size) drawing ||= requestAnimationFrame(drawSome);
}

function drawTile(photo) {
  const label = labelOf(photo), { width: w, height: h } = photo.picture, scale = Math.min(1, TILE_PIXELS / Math.max(w, h));
  const width = Math.max(1, Math.round(w * scale)), height = Math.max(1, Math.round(h * scale));
  photo.canvas ??= document.createElement('canvas');
  if (photo.canvas.width !== width || photo.canvas.height !== height) Object.assign(photo.canvas, { width, height });
  const context = photo.canvas.getContext('2d');
  context.putImageData(compose({ photo: photo.picture, map: label.map, look: look() }, width, height, photo.held ??= {}), 0, 0);
  if (fields.boxes.checked && label.box) outline(context, label.box, width / photo.image.width, height / photo.image.height);
  if (!photo.canvas.isConnected) photo.well.replaceChildren(photo.canvas);
}

function outline(context, { x, y, width, height }, across, down) {
  for (const [colour, line] of [['#000a', 4], ['#fff', 2]]) {
    Object.assign(context, { strokeStyle: colour, lineWidth: line });
    context.strokeRect(x * across + 1, y * down + 1, width * across - 2, height * down - 2);
  }
}

function forget(photo) {
  waiting.delete(photo);
  if (photo === enlarged.photo) return;
  photo.canvas?.remove();
  photo.canvas = photo.held = null;
  if (photo.opening) photo.opening.then(() => { if (!inView.has(photo) && photo !== enlarged.photo) close(photo); }, () => {});
}

const observer = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const photo = byTile.get(target);
    inView[isIntersecting ? 'add' : 'delete'](photo);
    if (isIntersecting) drawLater(photo);
    else forget(photo);
  }
}, { rootMargin: FAR });
const byTile = new Map(photos.map((photo) => [photo.tile, photo]));

// ---- which, in which order ----
const sure = (photo) => labelOf(photo)?.probability ?? -1;
const collator = new Intl.Collator(undefined, { numeric: true });
const ORDERS = {
  given: (a, b) => a.index - b.index,
  name: (a, b) => collator.compare(a.file, b.file) || a.index - b.index,
  most: (a, b) => sure(b) - sure(a) || a.index - b.index,
  least: (a, b) => (sure(a) < 0) - (sure(b) < 0) || sure(a) - sure(b) || a.index - b.index, // what failed is last both ways
};
const FAILED = 'failed';     // not a label, but a kind of its own in their list
const counted = (n, what = 'photo') => `${n.toLocaleString('en')} ${what}${n === 1 ? '' : 's'}`;

function isWanted(photo, text, choice) {
  if (choice.dataset.kind === FAILED) return !!photo.error && photo.words.includes(text);
  return (!choice.value || photo.predictions.some((each) => each.label === choice.value)) && photo.words.includes(text);
}

function arrange() {
  const text = fields.text.value.trim().toLowerCase(), choice = fields.label.selectedOptions[0];
  shown = photos.filter((photo) => isWanted(photo, text, choice)).sort(ORDERS[fields.sort.value]);
  for (const photo of shown) {
    const label = labelOf(photo);
    photo.label.textContent = label ? firstName(label.label) : 'Not explained';
    photo.percent.textContent = label ? percent(label.probability) : '';
  }
  $('tiles').replaceChildren(...shown.map((photo) => photo.tile));
  if (!shown.length) $('tiles').append(make('li', 'none', 'No photo fits.'));
  rove(shown[0]);
  const failed = photos.filter((photo) => photo.error).length;
  $('count').textContent = [shown.length === photos.length ? counted(photos.length) : `${shown.length.toLocaleString('en')} of ${counted(photos.length)}`,
    failed ? `${failed.toLocaleString('en')} could not be explained` : ''].filter(Boolean).join(', ');
  redraw();
}

function redraw() {
  $('alpha-text').value = `${fields.alpha.value} %`;
  for (const photo of inView) drawLater(photo);
  enlarged.draw();
}

// Labels by how many photos have them; those of a single photo, too: the search is for all that does not fit a list.
function listLabels() {
  const counts = new Map();
  for (const photo of photos) for (const { label } of photo.predictions) counts.set(label, (counts.get(label) ?? 0) + 1);
  const sorted = [...counts].sort((a, b) => b[1] - a[1] || collator.compare(a[0], b[0]));
  fields.label.append(...sorted.map(([label, n]) => new Option(`${firstName(label)} (${n})`, label)));
  if (!photos.some((photo) => photo.error)) return;
  const failed = new Option('could not be explained', FAILED);
  failed.dataset.kind = FAILED;
  fields.label.options[0].after(failed);
}

// ---- keys among tiles: one of them can be reached with Tab, the arrows go on from there ----
let reached = null;
function rove(photo, focus = false) {
  if (reached) reached.button.tabIndex = -1;
  reached = photo ?? null;
  if (!photo) return;
  photo.button.tabIndex = 0;
  if (focus) photo.button.focus();
}

function columns() {
  const top = shown[0]?.tile.offsetTop;
  const n = shown.findIndex((photo) => photo.tile.offsetTop !== top);
  return n < 0 ? shown.length : n;
}

$('tiles').addEventListener('keydown', (event) => {
  const at = shown.indexOf(reached), steps = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: shown.length - 1 };
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.key === 'ArrowUp') steps.ArrowUp = at - columns();
  if (event.key === 'ArrowDown') steps.ArrowDown = at + columns();
  const to = shown[steps[event.key]];
  if (!(event.key in steps)) return;
  event.preventDefault();
  if (to) rove(to, true);
});
$('tiles').addEventListener('focusin', (event) => { const photo = byTile.get(event.target.closest('.tile')); if (photo && photo !== reached) rove(photo); });

// ---- one photo, large ----
const enlarged = {
  photo: null, wanted: null, preview: null, cell: null,

  async open(photo) {
    const before = this.photo;
    Object.assign(this, { photo, wanted: labelOf(photo)?.class_id ?? null, preview: null, cell: null });
    rove(photo);
    if (before && before !== photo && !inView.has(before)) forget(before);
    if (!$('large').open) $('large').showModal();
    this.draw();
    if (photo.error) return;
    await open(photo);
    if (this.photo === photo) this.draw();
  },

  draw() {
    const { photo } = this;
    if (!photo) return;
    const rows = photo.predictions, row = rows.find((each) => each.class_id === this.preview) ?? rows.find((each) => each.class_id === this.wanted) ?? rows[0];
    $('file').textContent = lastPart(photo.file);
    $('path').textContent = photo.file.slice(0, photo.file.lastIndexOf('/') + 1);
    $('facts').textContent = [`${shown.indexOf(photo) + 1} of ${shown.length}`, photo.image && `${photo.image.width} × ${photo.image.height}`].filter(Boolean).join(' · ');
    $('error').hidden = !photo.error;
    $('error').textContent = sentence(photo.error?.detail);
    $('viewer').hidden = !!photo.error;
    list.show(rows, row, this.preview !== null, this.cell);
    $('before').disabled = shown.indexOf(photo) <= 0;
    $('next').disabled = shown.indexOf(photo) >= shown.length - 1;
    if (photo.error) return;
    viewer.show({
      photo: photo.picture ?? null, image: photo.image, map: row.map ?? null, look: look(), box: fields.boxes.checked ? row.box : null,
      name: `${photo.file} with the evidence for ${firstName(row.label)}, ${percent(row.probability)}. Arrow keys read it place by place.`,
    });
  },

  step(by) {
    const to = shown[shown.indexOf(this.photo) + by];
    if (to) this.open(to).then(() => to.button.scrollIntoView({ block: 'nearest' }));
  },
};

const viewer = new Viewer($('viewer'));
viewer.onread = (cell) => { enlarged.cell = cell; enlarged.draw(); };
const list = new Labels($('labels'), {
  onchoose: (id) => { Object.assign(enlarged, { wanted: id, preview: null }); enlarged.draw(); },
  onpreview: (id) => { enlarged.preview = id; enlarged.draw(); },
});

$('large').addEventListener('keydown', (event) => {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!by || event.target === $('viewer') || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  enlarged.step(by);
});
$('large').addEventListener('close', () => {
  const { photo } = enlarged;
  enlarged.photo = null;
  rove(photo, true);
  if (!inView.has(photo)) forget(photo);
});
$('large').addEventListener('click', (event) => { if (event.target === $('large')) $('large').close(); }); // beside it
$('close').onclick = () => $('large').close();
$('before').onclick = () => enlarged.step(-1);
$('next').onclick = () => enlarged.step(1);

// ---- on paper there is no scrolling: all tiles are drawn first ----
async function print() {
  for (const photo of shown) {
    if (photo.error) continue;
    await open(photo);
    drawTile(photo);
  }
  window.print();
  for (const photo of shown) if (!inView.has(photo)) forget(photo);
}
$('print').onclick = print;
addEventListener('keydown', (event) => {
  if (event.key !== 'p' || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  print();
});

// ---- the beginning ----
fields.alpha.value = 100 * about.alpha;
fields.colormap.value = about.colormap;
$('colours').hidden = 'minus' in about;
$('about-text').textContent = [about.model, { cam: 'CAM', hirescam: 'HiResCAM' }[about.method], 'minus' in about ? `rather than ${firstName(about.minus)}` : '', `camserve ${about.version}`].filter(Boolean).join(' · ');
document.title = `What ${about.model} saw in ${counted(photos.length)}`;
listLabels();
$('controls').addEventListener('submit', (event) => event.preventDefault());
for (const name of ['text', 'label', 'sort']) fields[name].addEventListener('input', arrange);
for (const name of ['alpha', 'colormap', 'boxes']) fields[name].addEventListener('input', redraw);
arrange();
for (const photo of photos) observer.observe(photo.tile);
document.body.classList.add('ready');
