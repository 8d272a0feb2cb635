// gallery.js - the page of `camserve explain --html`: photos as tiles with the heat of a label, one of them large with all its labels. Begin here.
// Flow: readPhotos -> tiles; a click -> one of them large. Names and labels reach the page as text, never as markup. `camserve explain` joins this file with the
// modules that it imports.
import { COLORMAPS } from './colormaps.js';
import { firstName, percent, sentence } from './words.js';
import { Labels } from './labels.js';
import { Viewer } from './viewer.js';
import { counted, lastPart, make, readPhotos, Tiles } from './tiles.js';
import { Large } from './large.js';

const $ = (id) => document.getElementById(id);
const about = JSON.parse($('about').textContent), fields = $('controls').elements;
const photos = readPhotos(); // and of each words, for the search

// The label that a tile shows: the one that is asked for, else the first.
const labelOf = (photo) => photo.predictions.find((each) => each.label === fields.label.value) ?? photo.predictions[0];
const look = () => ({
  colormap: COLORMAPS['minus' in about ? 'coolwarm' : fields.colormap.value], alpha: fields.alpha.value / 100, follow: true, smooth: true,
  sides: 'minus' in about, resize: about.resize, scale: about.scale, range: null,
});

// ---- tiles ----
for (const photo of photos) {
  photo.words = [photo.file, ...photo.predictions.map((each) => each.label), photo.error?.detail ?? ''].join('\n').toLowerCase();
  photo.tile = make('li', 'tile');
  photo.button = Object.assign(make('button', ''), { type: 'button', title: photo.file, onclick: () => large.open(photo) });
  photo.faces = [{ well: make('span', 'well'), label: () => labelOf(photo) }];
  photo.label = make('span', 'label');
  photo.percent = make('span', 'percent');
  const words = make('span', 'words');
  words.append(photo.label, photo.percent, make('span', 'name', lastPart(photo.file)));
  photo.button.append(photo.faces[0].well, words);
  photo.tile.append(photo.button);
}
const tiles = new Tiles($('tiles'), photos, { look, boxed: () => fields.boxes.checked, isKept: (photo) => photo === large.photo, printer: $('print') });

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

function isWanted(photo, text, choice) {
  if (choice.dataset.kind === FAILED) return !!photo.error && photo.words.includes(text);
  return (!choice.value || photo.predictions.some((each) => each.label === choice.value)) && photo.words.includes(text);
}

function arrange() {
  const text = fields.text.value.trim().toLowerCase(), choice = fields.label.selectedOptions[0];
  const shown = photos.filter((photo) => isWanted(photo, text, choice)).sort(ORDERS[fields.sort.value]);
  for (const photo of shown) {
    const label = labelOf(photo);
    photo.label.textContent = label ? firstName(label) : 'Not explained';
    photo.percent.textContent = label ? percent(label.probability) : '';
  }
  tiles.show(shown, 'No photo fits.');
  const failed = photos.filter((photo) => photo.error).length;
  $('count').textContent = [shown.length === photos.length ? counted(photos.length) : `${shown.length.toLocaleString('en')} of ${counted(photos.length)}`,
    failed ? `${failed.toLocaleString('en')} could not be explained` : ''].filter(Boolean).join(', ');
  redraw();
}

function redraw() {
  $('alpha-text').value = `${fields.alpha.value} %`;
  tiles.redraw();
  large.draw();
}

// Labels by how many photos have them; those of a single photo, too: the search is for all that does not fit a list.
function listLabels() {
  const counts = new Map();
  for (const photo of photos) for (const row of photo.predictions) counts.set(row.label, { row, n: (counts.get(row.label)?.n ?? 0) + 1 });
  const sorted = [...counts.values()].sort((a, b) => b.n - a.n || collator.compare(a.row.label, b.row.label));
  fields.label.append(...sorted.map(({ row, n }) => new Option(`${firstName(row)} (${n})`, row.label)));
  if (!photos.some((photo) => photo.error)) return;
  const failed = new Option('could not be explained', FAILED);
  failed.dataset.kind = FAILED;
  fields.label.options[0].after(failed);
}

// ---- one photo, large ----
let wanted = null, preview = null; // class_id: the label that is chosen, and one that is only looked at
let cell = null;                   // of the map, that is read

function drawLarge(photo, index, n) {
  const rows = photo.predictions, row = rows.find((each) => each.class_id === preview) ?? rows.find((each) => each.class_id === wanted) ?? rows[0];
  $('file').textContent = lastPart(photo.file);
  $('path').textContent = photo.file.slice(0, photo.file.lastIndexOf('/') + 1);
  $('facts').textContent = [`${index + 1} of ${n}`, photo.image && `${photo.image.width} × ${photo.image.height}`].filter(Boolean).join(' · ');
  $('error').hidden = !photo.error;
  $('error').textContent = sentence(photo.error?.detail);
  $('viewer').hidden = !!photo.error;
  list.show(rows, row, preview !== null, cell);
  if (photo.error) return;
  viewer.show({
    photo: photo.picture ?? null, image: photo.image, map: row.map ?? null, look: look(), box: fields.boxes.checked ? row.box : null,
    name: `${photo.file} with the evidence for ${firstName(row)}, ${percent(row.probability)}. Arrow keys read it place by place.`,
  });
}

const large = new Large($('large'), tiles, {
  list: () => tiles.shown,
  begin: (photo) => { [wanted, preview, cell] = [labelOf(photo)?.class_id ?? null, null, null]; },
  draw: drawLarge,
});
const viewer = new Viewer($('viewer'));
viewer.onread = (read) => { cell = read; large.draw(); };
const list = new Labels($('labels'), {
  onchoose: (id) => { [wanted, preview] = [id, null]; large.draw(); },
  onpreview: (id) => { preview = id; large.draw(); },
});

// ---- the beginning ----
fields.alpha.value = 100 * about.alpha;
fields.colormap.value = about.colormap;
$('colours').hidden = 'minus' in about;
$('about-text').textContent = [about.model, { cam: 'CAM', hirescam: 'HiResCAM' }[about.method], 'minus' in about ? `rather than ${about.minus.split(', ')[0]}` : '', `camserve ${about.version}`].filter(Boolean).join(' · ');
document.title = `What ${about.model} saw in ${counted(photos.length)}`;
listLabels();
$('controls').addEventListener('submit', (event) => event.preventDefault());
for (const name of ['text', 'label', 'sort']) fields[name].addEventListener('input', arrange);
for (const name of ['alpha', 'colormap', 'boxes']) fields[name].addEventListener('input', redraw);
arrange();
document.body.classList.add('ready');
