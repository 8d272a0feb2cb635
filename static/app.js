// app.js - the demo page: what there is, and what happens to it. Begin here.
// Flow: file -> asking.js (a queue, one at a time) -> result -> render() -> viewer.js, labels.js, commands.
// A photo is sent once, for the maps of its ten likeliest labels as numbers; heat, colours, scales, boxes and differences are made of them here
// (heat.js). It is sent again only for another model, other proportions or detail, or a class whose map is not there yet.
// What comes from a file or the server reaches the page as text or as pixels, never as markup.
import { COLORMAPS } from './colormaps.js';
import { boxOf, commonRange, subtract } from './heat.js';
import { Viewer } from './viewer.js';
import { reopen } from './photos.js';
import { Asking, MAPS, newPhoto } from './asking.js';
import { classes, models, version } from './service.js';
import { Strip } from './strip.js';
import { Labels } from './labels.js';
import { finder } from './finder.js';
import { notice } from './notices.js';
import { offerCamera } from './camera.js';
import * as takeaway from './takeaway.js';
import { describe, ids, restore } from './link.js';
import { bytes, evidence, firstName, milliseconds, percent } from './words.js';

const $ = (id) => document.getElementById(id);
const form = $('controls'), fields = form.elements;
const FEW = 5;                       // labels that are shown at first
const PICTURES_HELD = 6;             // photos whose pixels are kept; others are opened again when they are looked at
const ASKING = ['resize', 'detail']; // settings that need new numbers

const page = {
  photos: [],        // as in the strip
  current: null,
  model: '',         // '': the service's first
  chosen: [],        // classes that are explained whatever their rank: {class_id, wnid, label}
  all: false,        // ten labels instead of five
  wanted: null,      // class_id of the label that is chosen; null: the first
  preview: null,     // class_id of the label under the pointer
  cell: null,        // of the map, that is read
  thresholdSet: false,
  models: [],        // as /v1/models/NAME tells of each, the first first
  wantsKey: false,
};

// ---- photos in ----
function add(files, sample = '') {
  const added = [...files].map((file) => newPhoto(file, sample));
  if (!added.length) return;
  page.photos.push(...added);
  page.current = added[0];
  added.forEach((photo) => asking.enqueue(photo));
  render();
}

function choose(photo) {
  page.current = photo;
  page.preview = null;
  if (photo?.body && !photo.picture && !photo.unreadable) reopen(photo.body).then((picture) => { photo.picture = picture; hold(photo); render(); });
  if (photo && !photo.problem && photo.state !== 'busy') asking.enqueue(photo); // settings may have changed since
  render();
}

// Only the pixels of the photos that were looked at last are kept.
const held = new Set();
function hold(photo) {
  held.delete(photo);
  held.add(photo);
  for (const old of [...held].slice(0, -PICTURES_HELD)) {
    if (old === page.current || old.unreadable) continue;
    held.delete(old);
    old.picture = null; // not closed: the strip or a picture in the making may be drawing it
  }
}

function take(photos, words) {
  const before = [...page.photos], current = page.current;
  photos.forEach((photo) => asking.drop(photo));
  const at = page.photos.indexOf(current);
  page.photos = page.photos.filter((photo) => !photos.includes(photo));
  if (!page.photos.includes(current)) choose(page.photos[Math.min(at, page.photos.length - 1)] || null);
  render();
  const undo = notice(words, { action: { text: 'Undo', run: () => putBack(before, current) } });
  undo.querySelector('button').focus();
}

function putBack(photos, current) {
  const since = page.photos.filter((photo) => !photos.includes(photo));
  page.photos = [...photos, ...since];
  for (const photo of photos) photo.stop = photo.stop.signal.aborted ? new AbortController() : photo.stop;
  choose(current);
  photos.filter((photo) => !photo.latest && !photo.problem).forEach((photo) => asking.enqueue(photo));
  requestAnimationFrame(() => (page.photos.length > 1 ? strip.focus(current) : $('one').focus())); // once they are there
}

// ---- what is asked for ----
const conditions = () => new URLSearchParams([['model', page.model], ...ASKING.map((name) => [name, fields[name].value])].filter(([, value]) => value));

const asking = new Asking({
  conditions, classes: () => page.chosen.map((each) => each.class_id), key: () => $('key').value, first: () => page.current, onchange: render,
  onmade: (photo) => { hold(photo); if (photo.note) notice(`${photo.name}: ${photo.note}`); },
  onanswer: (photo) => { if (photo === page.current) say(`${photo.name}: ` + rows(photo).map(titleOf).join('; ')); },
  onproblem: (photo) => {
    const { code, title, detail, advice } = photo.problem, words = [`${photo.name}: ${title}.`, detail, advice].filter(Boolean).join(' ');
    if (code === 'unauthorized') page.wantsKey = true;
    if (photo.latest) notice(`${words} What is shown is the result before.`, { tone: 'problem', action: { text: 'Try again', run: () => again(photo) } });
    else if (photo === page.current) say(words);
  },
});

function again(photo) {
  photo.problem = null;
  asking.enqueue(photo);
  choose(photo);
}

// Something that is asked for has changed: the photo that is looked at goes first, the others when they are looked at.
function askAnew() {
  if (page.current) again(page.current);
  render();
}

// ---- what is seen ----
// The labels in the list: by rank, then those that were chosen.
function rows(photo) {
  const result = asking.shownOf(photo);
  if (!result) return [];
  const first = result.ranked.slice(0, page.all ? MAPS : FEW), ids = new Set(first.map((each) => each.class_id));
  return [...first, ...page.chosen.filter(({ class_id: id }) => !ids.has(id)).map(({ class_id: id }) => result.byClass.get(id)).filter(Boolean)];
}

function activeOf(list) {
  return list.find((row) => row.class_id === page.preview) || list.find((row) => row.class_id === page.wanted) || list[0];
}

const titleOf = (row) => `${firstName(row)} ${percent(row.probability)}`;
const otherOf = (list) => list.find((row) => String(row.class_id) === $('other').value);

const aboutOf = (name) => page.models.find((each) => each.name === name), mapsOf = (name) => aboutOf(name)?.map ?? { scale: 'relu' };
const scaleOf = (name) => fields.scale.value || mapsOf(name).scale;

function sceneOf(photo, list, row, minus = null) {
  const { image, input, model } = asking.shownOf(photo), scale = minus ? 'relu' : scaleOf(model), map = minus ? subtract(row.map, minus.map) : row.map;
  const range = fields.common.checked && !minus ? commonRange(list.map((each) => each.map), scale) : null;
  const look = {
    colormap: COLORMAPS[minus ? 'coolwarm' : fields.colormap.value], alpha: fields.alpha.value / 100, follow: fields.follow.checked,
    smooth: fields.smooth.checked, sides: !!minus, resize: mapsOf(model).resize, scale, range,
  };
  const name = firstName(row), title = minus ? `${name} rather than ${firstName(minus)}` : titleOf(row);
  return {
    photo: photo.picture, image, map, look, caption: title, name: `${photo.name} with the evidence for ${title}. Arrow keys read it place by place.`,
    box: fields.box.checked ? boxOf(map, input, image, look, fields.threshold.value / 100) : null,
  };
}

// One scene, or two side by side.
function scenes(photo) {
  const list = rows(photo), row = activeOf(list), other = otherOf(list);
  if (!row) return [];
  if (!other || other === row) return [sceneOf(photo, list, row)];
  if ($('how').value === 'minus') return [sceneOf(photo, list, row, other)];
  return [sceneOf(photo, list, row), sceneOf(photo, list, other)];
}

const viewers = [new Viewer($('one')), new Viewer($('two'))];
const strip = new Strip($('strip'), { onchoose: choose, onremove: (photo) => take([photo], `${photo.name} was removed.`) });

const labels = new Labels($('labels'), {
  onchoose: (id) => { Object.assign(page, { wanted: id, preview: null }); render(); },
  onpreview: (id) => { page.preview = id; render(); },
});

let due = 0, remembering = 0;
function render() { // soon, once for all that changes until then
  due ||= requestAnimationFrame(() => { due = 0; draw(); });
}

function draw() {
  const photo = page.current;
  if (!page.thresholdSet) fields.threshold.value = usualThreshold();
  document.body.classList.toggle('has-results', !!photo);
  $('bench').hidden = !photo;
  strip.show(page.photos, photo);
  if (!photo) document.title = 'camserve: what the network saw, and where';
  if (photo) drawPhoto(photo);
  drawControls();
  clearTimeout(remembering);
  remembering = setTimeout(remember, 250); // browsers count how often an address changes
}

function drawPhoto(photo) {
  const list = rows(photo), row = activeOf(list), shown = scenes(photo), result = asking.shownOf(photo);
  $('bench').setAttribute('aria-busy', String(['waiting', 'busy'].includes(photo.state)));
  $('bench').classList.toggle('bare', !row);
  $('file').textContent = photo.name;
  $('state').textContent = photo.problem ? '' : photo.words;
  $('facts').textContent = result ? `${result.image.width} × ${result.image.height} ${result.image.format.toUpperCase()}, ${bytes(photo.body.size)}` : bytes(photo.file.size);
  document.title = row ? `${titleOf(row)} - ${photo.name} - camserve` : `${photo.name} - camserve`;
  $('second').hidden = shown.length < 2;
  $('pair').classList.toggle('two', shown.length > 1);
  if (shown.length) shown.forEach((scene, i) => viewers[i].show(scene));
  else viewers[0].show({ photo: photo.picture, image: photo.picture || { width: 3, height: 2 }, map: null, look: {}, box: null, name: photo.name });
  [$('one-caption'), $('two-caption')].forEach((caption, i) => { caption.textContent = shown[i]?.caption ?? ''; });
  drawLabels(list, row);
  drawProblem(photo);
  drawLegend(shown[0]);
  drawCode(row, otherOf(list));
  $('timing').textContent = result ? story(result, row) : '';
}

function story({ model, input, timing_ms: timing, round_trip: round }, row) {
  const method = { cam: 'CAM', hirescam: 'HiResCAM' }[row?.method] || 'CAM';
  return `${[model, aboutOf(model)?.precision, method].filter(Boolean).join(', ')}. Network input ${input.width} × ${input.height}, ${input.resize === 'aspect' ? 'proportions kept' : 'stretched'}. `
    + `${milliseconds(timing.total)} on the server (forward ${timing.forward.toFixed(1)}), ${milliseconds(round)} there and back.`;
}

function drawLabels(list, active) {
  const anew = labels.show(list, active, page.preview !== null, page.cell), other = $('other').value;
  if (anew) $('other').replaceChildren($('other').firstElementChild, ...list.map((row) => new Option(firstName(row), row.class_id, false, String(row.class_id) === other)));
  $('fewer').hidden = !list.length;
  $('fewer').textContent = page.all ? 'Fewer labels' : 'More labels';
  $('fewer').setAttribute('aria-expanded', String(page.all));
  $('how-row').hidden = !otherOf(list);
}

function drawProblem(photo) {
  const box = $('problem'), { problem } = photo, part = (selector, text) => { box.querySelector(selector).textContent = text || ''; };
  box.hidden = !problem || !!photo.latest; // beside an earlier result a notice says it
  $('key-form').hidden = !page.wantsKey;
  if (!problem) return;
  part('h3', problem.title);
  part('.detail', problem.detail);
  part('.advice', problem.advice);
  part('.request', problem.request ? `Request ${problem.request}` : '');
  box.querySelector('.retry').hidden = !problem.again;
}

const ENDS = { relu: ['no evidence', 'most'], minmax: ['least', 'most'], sides: ['against', 'for'] };
function drawLegend(scene) {
  $('legend').hidden = !scene;
  if (!scene) return;
  const { colormap, sides, scale, range } = scene.look, [low, high] = ENDS[sides ? 'sides' : scale];
  const colours = Array.from({ length: 16 }, (_, i) => `rgb(${colormap.subarray(51 * i, 51 * i + 3).join()})`); // every seventeenth: 0 to 255
  $('legend').querySelector('i').style.background = `linear-gradient(90deg, ${colours.join()})`;
  $('legend-low').textContent = low;
  $('legend-high').textContent = high;
  $('legend-scale').textContent = range ? 'One scale for all labels: faint evidence looks faint' : 'Each label on its own scale';
  $('legend-scale').hidden = !!sides;
}

function usualThreshold() { // per cent: the service's own
  if (scaleOf($('model-choice').value) === 'minmax') return 20;
  return fields.detail.value ? 25 : 30;
}

let chipsOf = page.chosen;
function drawControls() {
  $('alpha-text').value = `${fields.alpha.value} %`;
  $('threshold-text').value = `${fields.threshold.value} %`;
  fields.alpha.setAttribute('aria-valuetext', `${fields.alpha.value} percent`);
  fields.threshold.setAttribute('aria-valuetext', `${fields.threshold.value} percent of the most`);
  if (chipsOf !== page.chosen) $('chips').replaceChildren(...page.chosen.map(chip)); // else they are there, and one may have the focus
  chipsOf = page.chosen;
}

function chip(entry) {
  const item = document.createElement('li'), button = document.createElement('button');
  button.type = 'button';
  button.textContent = `${firstName(entry)} ×`;
  button.setAttribute('aria-label', `Remove ${firstName(entry)}`);
  button.onclick = () => {
    page.chosen = page.chosen.filter((each) => each !== entry);
    $('find').focus();
    render();
  };
  item.append(button);
  return item;
}

const say = (words) => { $('say').textContent = words; };

// ---- to take along ----
function drawCode(row, other) {
  if (!row) return;
  const query = conditions(), minus = other && other !== row && $('how').value === 'minus';
  query.set('classes', row.class_id);
  query.set('alpha', fields.alpha.value / 100);
  if (minus) query.set('minus', other.class_id);
  else for (const name of ['colormap', 'scale']) if (fields[name].value) query.set(name, fields[name].value);
  if (page.thresholdSet) query.set('threshold', fields.threshold.value / 100);
  const address = new URL('cam', document.baseURI);
  $('curl').textContent = takeaway.curl(address, query, page.wantsKey);
  $('python').textContent = takeaway.python(address, query, row.class_id, page.wantsKey);
}

const credit = () => `What the network saw, and where: camserve, ${asking.shownOf(page.current).model}`;

async function download() {
  const shown = scenes(page.current);
  if (!shown.length) return;
  const link = document.createElement('a'), file = await takeaway.picture(shown, credit(), 'image/jpeg');
  link.href = URL.createObjectURL(file);
  link.download = `${page.current.name.replace(/\.\w+$/, '')} ${shown[0].caption.replace(/[\d.<]+ %/, '').trim()}.jpg`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60e3);
  say(`Saved as ${link.download}`);
}

// Returns whether it went: not over plain http from another host, nor where the browser does not allow it.
async function copied(button, write) {
  const words = [...button.childNodes];
  try {
    await write();
  } catch {
    return false;
  }
  say('Copied');
  button.replaceChildren('Copied');
  setTimeout(() => button.replaceChildren(...words), 1500);
  return true;
}

async function copyText(button, element) {
  if (await copied(button, () => navigator.clipboard.writeText(element.textContent))) return;
  getSelection().selectAllChildren(element); // so that Ctrl+C does
  element.focus();
}

async function copyLink(button) {
  remember();
  if (!await copied(button, () => navigator.clipboard.writeText(location.href))) notice(`The address holds all settings: ${location.href}`);
}

async function copyPicture(button) {
  const item = () => new ClipboardItem({ 'image/png': takeaway.picture(scenes(page.current), credit()) });
  if (!await copied(button, () => navigator.clipboard.write([item()]))) notice('The browser does not let this page copy pictures: download it instead.');
}

// ---- the address holds all settings; never the photo, but a sample's name ----
function remember() {
  const link = describe(form);
  if (!page.thresholdSet) link.delete('threshold');
  if (page.model) link.set('model', page.model);
  if (page.chosen.length) link.set('classes', page.chosen.map((each) => each.class_id).join(','));
  if (page.wanted !== null) link.set('label', page.wanted);
  if (otherOf(rows(page.current))) link.set($('how').value, $('other').value);
  if (page.current?.sample) link.set('sample', page.current.sample);
  const hash = link.toString().replaceAll('%2C', ',');
  if (hash !== location.hash.slice(1)) history.replaceState(null, '', hash ? `#${hash}` : location.pathname + location.search);
}

async function recall() {
  const link = new URLSearchParams(location.hash.slice(1)), asked = ids(link.get('classes')), [label = null] = ids(link.get('label'));
  form.reset(); // a browser may have filled it in again after a reload
  restore(form, link);
  Object.assign(page, { thresholdSet: link.has('threshold'), wanted: label });
  const [first, ...others] = [...$('model-choice').options].map((each) => each.value);
  setModel(others.find((name) => name === link.get('model')) ?? first);
  $('other').value = '';
  $('how').value = 'pair';
  page.chosen = [];
  if (asked.length) page.chosen = (await classes(page.model).catch(() => [])).filter((entry) => asked.includes(entry.class_id)).slice(0, MAPS);
  for (const how of ['pair', 'minus']) {
    for (const other of ids(link.get(how)).slice(0, 1)) {
      $('other').append(new Option(other, other, false, true)); // its name comes with the labels
      $('how').value = how;
    }
  }
  if (link.has('sample')) await tryOut(link.get('sample'));
}

// ---- controls ----
async function tryOut(name) {
  const image = document.querySelector(`[data-sample="${CSS.escape(name)}"] img`);
  if (!image) return;
  const response = await fetch(image.src).catch(() => null);
  if (!response?.ok) return notice('The sample could not be fetched: is the server still there?', { tone: 'problem' });
  add([new File([await response.blob()], `${name}.jpg`, { type: 'image/jpeg' })], name);
}

function setModel(name) {
  page.model = name === $('model-choice').options[0]?.value ? '' : name;
  $('model-choice').value = name;
}

async function changeModel(name) {
  setModel(name);
  const list = await classes(page.model).catch(() => []), byLabel = new Map(list.map((entry) => [entry.label, entry]));
  page.chosen = page.chosen.map((entry) => byLabel.get(entry.label)).filter(Boolean); // the classes that this model has, too
  page.wanted = null;
  askAnew();
}

function explainToo(entry) {
  if (!page.chosen.some((each) => each.class_id === entry.class_id)) page.chosen = [...page.chosen.slice(-(MAPS - 1)), entry];
  page.wanted = entry.class_id;
  askAnew();
}

finder($('find'), $('found'), {
  offer: async () => {
    try {
      return { classes: await classes(page.model), probabilities: asking.shownOf(page.current)?.probabilities };
    } catch {
      notice('The names of the classes could not be fetched.', { tone: 'problem' });
      return { classes: [] };
    }
  },
  ontake: explainToo,
  onnone: (typed) => notice(`The network knows no class "${typed}".`),
});

form.addEventListener('submit', (event) => event.preventDefault());
form.addEventListener('input', ({ target }) => {
  if (target.name === 'threshold') {
    page.thresholdSet = true;
    fields.box.checked = true;
  }
  if (ASKING.includes(target.name)) return askAnew();
  return render();
});
for (const viewer of viewers) viewer.onread = (cell) => { page.cell = cell; read(cell); render(); };
function read(cell) { // for ears, too
  if (!cell) return;
  say(`Row ${cell.y + 1}, column ${cell.x + 1}: ` + rows(page.current).map((row) => `${firstName(row)} ${evidence(row.map.values[cell.y * row.map.width + cell.x])}`).join(', '));
}

$('other').onchange = render;
$('how').onchange = render;
$('fewer').onclick = () => { page.all = !page.all; render(); };
$('remove').onclick = () => take([page.current], `${page.current.name} was removed.`);
$('clear').onclick = () => take([...page.photos], page.photos.length === 1 ? 'The photo was cleared.' : `${page.photos.length} photos were cleared.`);
$('problem').querySelector('.retry').onclick = () => again(page.current);
$('key-form').onsubmit = (event) => { event.preventDefault(); $('key').blur(); };
$('key').onchange = () => page.photos.filter((photo) => photo.problem?.code === 'unauthorized').forEach((photo) => {
  photo.problem = null;
  asking.enqueue(photo);
});
$('model-choice').onchange = ({ target }) => changeModel(target.value);
$('download').onclick = download;
$('copy-link').onclick = ({ currentTarget }) => copyLink(currentTarget);
$('copy-picture').hidden = !isSecureContext || !globalThis.ClipboardItem;
$('copy-picture').onclick = ({ currentTarget }) => copyPicture(currentTarget);
for (const button of document.querySelectorAll('[data-copy]')) button.onclick = () => copyText(button, $(button.dataset.copy));
for (const button of document.querySelectorAll('[data-sample]')) button.onclick = () => tryOut(button.dataset.sample);
for (const input of [$('pick'), $('camera')]) {
  input.onchange = () => { add(input.files); input.value = ''; }; // '': the same file may be chosen again
}
offerCamera((file) => add([file]), (words) => notice(words, { tone: 'problem' }));

// ---- anywhere on the page ----
const NOT_A_PICTURE = 'That was an address or text, not a picture. Save the picture first, then drop the file.';
const curtain = (on) => document.body.classList.toggle('dragging', on);
document.addEventListener('dragover', (event) => { event.preventDefault(); curtain(true); });
document.addEventListener('dragleave', (event) => { if (!event.relatedTarget) curtain(false); });
document.addEventListener('drop', (event) => {
  event.preventDefault();
  curtain(false);
  if (event.dataTransfer.files.length) add(event.dataTransfer.files);
  else notice(NOT_A_PICTURE, { tone: 'problem' });
});
document.addEventListener('paste', (event) => {
  if (event.clipboardData.files.length) {
    event.preventDefault();
    add(event.clipboardData.files);
  } else if (!event.target.matches?.('input')) {
    notice(NOT_A_PICTURE, { tone: 'problem' });
  }
});

// ---- the beginning ----
async function begin() {
  const [list, served] = await Promise.all([models().catch(() => []), version().catch(() => ({}))]);
  page.models = list;
  $('model').textContent = list.length > 1 ? '' : list[0]?.name ?? '';
  $('model').title = `camserve ${served.version}, ${served.isa}`;
  $('model-choice').hidden = list.length < 2;
  $('model-choice').replaceChildren(...list.map(({ name }) => new Option(name, name)));
  await recall();
  drawControls();
  document.body.classList.add('ready');
  addEventListener('hashchange', () => recall().then(askAnew)); // another link, pasted over this one
}

begin();
