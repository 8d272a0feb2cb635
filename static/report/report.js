// report.js - the page of `camserve evaluate --report` and of `camserve finetune`: figures, and each wrong photo with the maps of what it is and of what it is
// taken for, as a tile and large. Begin here.
// Flow: report.json -> figures.js; readPhotos -> tiles; a click -> both maps large. camserve joins this file with the modules that it imports.
import { commonRange, subtract } from '../heat.js';
import { COLORMAPS } from '../colormaps.js';
import { evidence, percent } from '../words.js';
import { Viewer } from '../viewer.js';
import { counted, lastPart, make, readPhotos, Tiles } from '../gallery/tiles.js';
import { Large } from '../gallery/large.js';
import { calibration, ClassNames, classTable, confusion, coverage, headline, share, skipped, training } from './figures.js';

const $ = (id) => document.getElementById(id);
const about = JSON.parse($('about').textContent), fields = $('controls').elements;
const FEW = 12;              // photos that are shown at first
const names = new ClassNames(about.classes);

// Of a photo predictions[0] is what it is taken for, predictions[1] what it is.
const photos = readPhotos();
const wrong = about.accuracy.of - about.accuracy.right;

// Where both maps are there, one range for both, so that equal colours are equal evidence.
function look(photo) {
  const both = fields.common.checked && photo.predictions.every((each) => each.map);
  return {
    colormap: COLORMAPS[fields.colormap.value], alpha: fields.alpha.value / 100, follow: true, smooth: true, sides: false, scale: 'relu',
    range: both ? photo.range ??= commonRange(photo.predictions.map((each) => each.map), 'relu') : null,
  };
}

// ---- tiles ----
const within = (path) => (path.startsWith(`${about.data}/`) ? path.slice(about.data.length + 1) : path);

function caption(kind, prediction) {
  const text = make('span', `label ${kind}`);
  text.append(make('small', '', kind === 'own' ? 'is' : 'taken for'), make('b', '', names.short(prediction.class_id)), make('span', 'percent', percent(prediction.probability)));
  return text;
}

for (const photo of photos) {
  const [given, own] = photo.predictions;
  photo.tile = make('li', 'tile');
  photo.button = Object.assign(make('button', ''), { type: 'button', title: photo.file, onclick: () => large.open(photo) });
  photo.faces = [own, given].map((prediction) => ({ well: make('span', 'well'), label: () => prediction }));
  photo.button.append(...photo.faces.map((face) => face.well));
  photo.button.append(caption('own', own), caption('given', given), make('span', 'name', within(photo.file)));
  photo.tile.append(photo.button);
}
const tiles = new Tiles($('tiles'), photos, { look, boxed: () => fields.boxes.checked, isKept: (photo) => photo === large.photo, printer: $('print') });

// ---- which, in which order ----
const sure = (photo) => photo.predictions[0].probability;
const collator = new Intl.Collator(undefined, { numeric: true });
const ORDERS = {
  most: (a, b) => sure(b) - sure(a) || a.index - b.index,
  least: (a, b) => sure(a) - sure(b) || a.index - b.index,
  name: (a, b) => collator.compare(a.file, b.file) || a.index - b.index,
};
let chosen = photos;         // those that are not filtered out, as sorted
let all = false;             // of them are shown, or the first few

const isChosen = (prediction, { value }) => !value || prediction.class_id === Number(value);

function arrange() {
  chosen = photos.filter((photo) => isChosen(photo.predictions[1], fields.own) && isChosen(photo.predictions[0], fields.given)).sort(ORDERS[fields.sort.value]);
  const shown = all ? chosen : chosen.slice(0, FEW);
  tiles.show(shown, photos.length ? 'No photo fits.' : 'Nothing is wrong.');
  $('more-photos').hidden = shown.length === chosen.length;
  $('more-photos').textContent = `Show all ${chosen.length.toLocaleString('en')}`;
  $('count').textContent = chosen.length === photos.length ? counted(photos.length, 'wrong photo') : `${chosen.length.toLocaleString('en')} of ${counted(photos.length, 'wrong photo')}`;
  redraw();
}

function showAll() {
  all = true;
  arrange();
}

function redraw() {
  $('alpha-text').value = `${fields.alpha.value} %`;
  tiles.redraw();
  large.draw();
}

function listClasses(field, which) {
  const counts = new Map();
  for (const photo of photos) {
    const id = photo.predictions[which].class_id;
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  const sorted = [...counts].sort((a, b) => b[1] - a[1] || collator.compare(names.full(a[0]), names.full(b[0])));
  field.append(...sorted.map(([id, n]) => new Option(`${names.short(id)} (${n})`, id)));
}

// From a cell of the matrix to its photos.
function showPair(id, given) {
  [fields.own.value, fields.given.value] = [id, given];
  if (fields.own.selectedIndex < 0) fields.own.value = '';
  if (fields.given.selectedIndex < 0) fields.given.value = '';
  arrange();
  $('wrong').scrollIntoView();
  tiles.shown[0]?.button.focus({ preventScroll: true });
}

// ---- one photo, large ----
const viewers = [['own', 1], ['given', 0]].map(([name, which]) => ({ which, text: $(`${name}-text`), viewer: new Viewer($(`${name}-viewer`)) }));
const contrasts = [];        // of predictions[which]: {of, map}, of its map
let cell = null;             // of both maps, that is read

// What one of the two viewers shows: its label's map, or what speaks for its label rather than for the other one.
function scene(photo, which) {
  const row = photo.predictions[which], other = photo.predictions[1 - which], what = which ? 'Is' : 'Taken for';
  if (!$('contrast').checked || !row.map) return { map: row.map ?? null, look: look(photo), words: `${what} ${names.short(row.class_id)}: ${percent(row.probability)}` };
  if (contrasts[which]?.of !== row.map) contrasts[which] = { of: row.map, map: subtract(row.map, other.map) };
  return {
    map: contrasts[which].map, look: { ...look(photo), colormap: COLORMAPS.coolwarm, sides: true, range: null },
    words: `${what} ${names.short(row.class_id)}, rather than ${names.short(other.class_id)}`,
  };
}

function drawLarge(photo, index, n) {
  $('file').textContent = lastPart(photo.file);
  $('path').textContent = within(photo.file).slice(0, -lastPart(photo.file).length);
  $('facts').textContent = `${index + 1} of ${n} · ${photo.image.width} × ${photo.image.height}`;
  for (const { which, text, viewer } of viewers) {
    const row = photo.predictions[which], { map, look: how, words } = scene(photo, which);
    const here = cell && map ? ` · here ${evidence(map.values[cell.y * map.width + cell.x])}` : '';
    text.textContent = `${words}${here}`;
    viewer.show({
      photo: photo.picture ?? null, image: photo.image, map, look: how, box: fields.boxes.checked && !$('contrast').checked ? row.box : null,
      name: `${photo.file}. ${words}. Arrow keys read the evidence place by place.`,
    });
  }
}

const large = new Large($('large'), tiles, {
  list: () => chosen,
  begin: (photo) => {
    cell = null;
    if (!tiles.shown.includes(photo)) showAll();
  },
  draw: drawLarge,
});
for (const { viewer } of viewers) viewer.onread = (read) => { cell = read; large.draw(); };
$('contrast').onchange = () => large.draw();

// ---- the beginning ----
function describe() {
  const { model, accuracy } = about, method = { cam: 'CAM', hirescam: 'HiResCAM' }[model.method];
  document.title = `${model.name}: ${share(accuracy.share)} of ${counted(accuracy.of)} right`;
  $('eyebrow').textContent = `${model.name} · ${about.data}`;
  $('title').textContent = wrong ? `Right about ${accuracy.right.toLocaleString('en')} of ${counted(accuracy.of)}` : `Right about all ${counted(accuracy.of)}`;
  $('wrong-note').textContent = [
    wrong ? 'Each wrong photo twice: where the network sees what it is, and where it sees what it takes it for. A mistake that looks sensible is often one of the photo’s label.' : '',
    about.mirrored_maps ? 'With two classes trained from zero, each map is the exact negative of the other: what speaks for the one class speaks as much against the other.' : '',
    photos.length < wrong ? `${photos.length.toLocaleString('en')} of ${wrong.toLocaleString('en')} wrong photos are in this page: those that the model was surest of. predictions.csv has all.` : '',
  ].filter(Boolean).join(' ');
  $('footer').textContent = `${model.name}, ${method}, sha256 ${model.sha256} · camserve ${about.version}. The numbers: report.json; each photo: predictions.csv.`;
}

describe();
headline($('headline'), about, names);
confusion($('confusion'), about, names, showPair);
classTable($('classes'), about, names);
coverage($('coverage'), about);
calibration($('calibration'), about);
training($('training'), about);
skipped($('skipped'), about);
listClasses(fields.own, 1);
listClasses(fields.given, 0);
$('controls').hidden = !photos.length;
$('controls').addEventListener('submit', (event) => event.preventDefault());
for (const name of ['own', 'given', 'sort']) fields[name].addEventListener('input', arrange);
for (const name of ['alpha', 'colormap', 'common', 'boxes']) fields[name].addEventListener('input', redraw);
$('more-photos').onclick = showAll;
arrange();
document.body.classList.add('ready');
