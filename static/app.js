// app.js - the demo page's one script: photos in, POST /cam, labels and heat maps out.
// Flow: pick | drop | paste -> queue (one request at a time) -> ask -> card.
// The server is asked once a photo, for pure colours (alpha=1); they lie over the browser's own picture of the photo, so the slider is a CSS
// opacity and needs no request. Both are upright: the server turns by EXIF, and so does <img> (image-orientation: from-image).
// Whatever comes from a file or the server reaches the page as text or as a picture, never as markup.

const $ = (selector, root = document) => root.querySelector(selector);
const stamp = (id) => $('#' + id).content.firstElementChild.cloneNode(true);
const form = $('#controls'), results = $('#results'), alpha = $('#alpha');

const RETRIES = 5;            // of a request that was refused because the server is busy
const LONGEST_WAIT_S = 20;    // whatever Retry-After says
const ACCEPTED = /^image\//;  // any other Content-Type is sent as plain bytes: application/json would be read as a JSON body

// The words for each error code of the contract: what it means, what to do, and whether the same photo may succeed later. The server's own
// detail stands between them.
const ADVICE = {
  unsupported_format: ['This is not a photo the server can read', 'Save it as JPEG, PNG, WebP or BMP and drop it again.'],
  broken_photo: ['The photo is damaged', 'Open it in another program, save it again as JPEG or PNG, and drop it again.'],
  too_large: ['The file is too large', 'Export the photo smaller or with more compression; the network needs only a few hundred pixels.'],
  too_many_pixels: ['The photo has too many pixels', 'Make it smaller; the network needs only a few hundred pixels a side.'],
  decode_budget: ['The photo takes too much work to open', 'Save it again as a plain JPEG or PNG, smaller if you can.'],
  bad_parameter: ['A setting is not allowed', 'Change it above; the photo is sent again by itself.'],
  bad_body: ['The server did not understand the request', 'Reload this page and try again.', true],
  unauthorized: ['This server wants a key', 'Enter the API key above; the photo is sent again by itself.'],
  busy: ['The server is busy', 'Too many photos are waiting. Try again in a minute.', true],
  not_ready: ['The server is starting or stopping', 'Try again in a moment.', true],
  deadline: ['The photo took too long', 'The server gave up on it under load. Try again.', true],
};

// ---- photos in ----
const cards = [];   // newest first, as on the page
const queue = [];   // cards that wait for their request
let working = false;

function add(files) {
  const added = [...files].map(newCard);
  if (!added.length) return say('There was no file in that. Save the picture first, then drop the file.');
  results.prepend(...added.map((card) => card.element));
  cards.unshift(...added);
  document.body.classList.add('has-results');
  added.forEach(enqueue);
}

function newCard(file) {
  const element = stamp('card-template'), name = file.name || 'pasted picture';
  const card = { file, name, element, url: URL.createObjectURL(file), stop: new AbortController() };
  $('.file', element).textContent = name;
  $('.facts', element).textContent = bytes(file.size);
  $('.remove', element).setAttribute('aria-label', `Remove ${name}`);
  $('.remove', element).onclick = () => remove(card);
  const photo = $('.photo', element);
  photo.onload = () => ratio(element, photo.naturalWidth, photo.naturalHeight);
  photo.onerror = () => element.classList.add('no-photo'); // the browser cannot show it; the server may still read it
  photo.src = card.url;
  photo.alt = name;
  return card;
}

function remove(card) {
  card.stop.abort();
  const at = cards.indexOf(card), waiting = queue.indexOf(card);
  if (at >= 0) cards.splice(at, 1);
  if (waiting >= 0) queue.splice(waiting, 1);
  const heir = cards[at] || cards[at - 1];
  (heir ? $('.remove', heir.element) : $('#pick')).focus();
  card.element.remove();
  URL.revokeObjectURL(card.url);
  document.body.classList.toggle('has-results', cards.length > 0);
}

// ---- one request at a time ----
function enqueue(card) {
  if (!queue.includes(card)) queue.push(card);
  card.element.setAttribute('aria-busy', 'true');
  $('.problem', card.element)?.remove();
  placeholders(card);
  state(card, 'Waiting for its turn');
  work();
}

async function work() {
  if (working) return;
  working = true;
  while (queue.length) {
    const card = queue.shift();
    try {
      show(card, await ask(card));
    } catch (error) {
      if (card.stop.signal.aborted) continue;
      complain(card, error);
    }
    if (!queue.includes(card)) card.element.setAttribute('aria-busy', 'false'); // a setting changed meanwhile: once more
  }
  working = false;
}

async function ask(card) {
  const { file, stop: { signal } } = card;
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    throw { title: 'This cannot be read', detail: 'It is a folder, or the file has moved since it was chosen.', advice: 'Choose the photo again.' };
  }
  const headers = { Accept: 'application/json', 'Content-Type': ACCEPTED.test(file.type) ? file.type : 'application/octet-stream' };
  if ($('#key').value) headers.Authorization = `Bearer ${$('#key').value}`;
  for (let attempt = 0; ; attempt++) {
    state(card, 'Looking');
    const started = performance.now();
    let response;
    try {
      response = await fetch(`cam?${query({ alpha: '1', include: 'overlay', size: 'fit' })}`, { method: 'POST', headers, body: file, signal });
    } catch {
      // A server that refuses a large body may close the connection before the browser has read why.
      throw { title: 'No answer from the server', detail: 'The connection failed or was closed.', again: true,
        advice: file.size > 8e6 ? `At ${bytes(file.size)} the file may be larger than the server takes: try a smaller one.` : 'Check that the server runs, then try again.' };
    }
    if (response.headers.has('Retry-After') && attempt < RETRIES) { // 429 busy, 503 starting or draining
      await pause(card, response.headers.get('Retry-After'), signal);
      continue;
    }
    const answer = await response.json().catch(() => null);
    if (response.ok && answer) return { ...answer, round_trip: performance.now() - started };
    throw problem(response.status, answer);
  }
}

// Settings as query parameters; those that have the contract's default are left to it.
function query(more = {}) {
  const given = new URLSearchParams(more), { model, colormap, top_k: topK, resize, classes } = form.elements;
  if (model.value) given.set('model', model.value);
  if (colormap.value !== 'jet') given.set('colormap', colormap.value);
  if (topK.value !== '3') given.set('top_k', topK.value);
  if (resize.value) given.set('resize', resize.value);
  if (classes.value.trim() && classes.validity.valid) given.set('classes', classes.value.trim().split(/[\s:]/)[0]);
  return given;
}

async function pause(card, retryAfter, signal) {
  const wait = Math.min(Math.max(Number(retryAfter) || 1, 1), LONGEST_WAIT_S);
  for (let left = wait; left > 0; left--) {
    if (signal.aborted) throw signal.reason;
    state(card, `The server is busy. Trying again in ${Math.ceil(left)} s`);
    await new Promise((done) => setTimeout(done, Math.min(left, 1) * 1000));
  }
}

function problem(status, answer) {
  const [title, advice, again] = ADVICE[answer?.code] || [`The server answered ${status}`, 'Try again; if it stays so, tell whoever runs this server.', true];
  if (answer?.code === 'unauthorized') {
    $('#key-row').hidden = false;
    curl();
  }
  return { title, detail: sentence(answer?.detail), advice, again, request: answer?.request_id };
}

// ---- answers out ----
function show(card, answer) {
  const { element } = card, { image, input, predictions, timing_ms: timing } = answer;
  ratio(element, image.width, image.height);
  $('.facts', element).textContent = `${image.width} × ${image.height} ${image.format.toUpperCase()}, ${bytes(card.file.size)}`;
  const views = $('.views', element);
  views.replaceChildren(views.firstElementChild, ...predictions.map((prediction) => view(card, image, prediction)));
  const { total, ...stages } = timing;
  $('.timing', element).textContent = `Network input ${input.width} × ${input.height}, ${input.resize === 'aspect' ? 'proportions kept' : 'stretched'}. `
    + `${ms(total)} on the server (${Object.entries(stages).map(([name, value]) => `${name} ${value.toFixed(1)}`).join(', ')}), `
    + `${ms(answer.round_trip)} there and back.`;
  state(card, '');
  say(`${card.name}: ` + predictions.map(({ label, probability }) => `${label} ${percent(probability)}`).join('; '));
}

function view(card, image, { rank, class_id: id, wnid, label, probability, box, overlay_png: overlay }) {
  const element = stamp('view-template'), photo = $('.photo', element), heat = $('.heat', element), outline = $('.box', element).style;
  const [first, ...synonyms] = label.split(', ');
  photo.src = card.url;
  photo.onerror = () => photo.remove();
  heat.src = `data:image/png;base64,${overlay}`;
  heat.alt = `${card.name} with the evidence for ${first}`;
  if (box) {
    outline.left = `${100 * box.x / image.width}%`;
    outline.top = `${100 * box.y / image.height}%`;
    outline.width = `${100 * box.width / image.width}%`;
    outline.height = `${100 * box.height / image.height}%`;
  } else {
    $('.box', element).remove(); // nothing in the photo speaks for this class
  }
  $('.label', element).textContent = first;
  $('.label', element).title = label;
  $('.percent', element).textContent = percent(probability);
  $('.bar i', element).style.width = `${100 * probability}%`;
  $('.class', element).textContent = [`#${rank}`, synonyms.join(', '), `class ${id}`, wnid].filter(Boolean).join(' · ');
  return element;
}

function placeholders(card) {
  const views = $('.views', card.element);
  if (views.childElementCount > 1) return; // an earlier answer stays, dimmed
  for (let i = 0; i < Number(form.elements.top_k.value); i++) views.append(stamp('view-template'));
  views.querySelectorAll('img:not([src])').forEach((img) => img.remove());
}

function complain(card, { title = 'Something went wrong on this page', detail, advice, again, request, message }) {
  const box = stamp('problem-template'), views = $('.views', card.element);
  $('h3', box).textContent = title;
  $('.detail', box).textContent = detail || message || '';
  $('.advice', box).textContent = advice || '';
  $('.request', box).textContent = request ? `Request ${request}` : '';
  $('.retry', box).hidden = !again;
  $('.retry', box).onclick = () => { $('.remove', card.element).focus(); enqueue(card); };
  views.replaceChildren(views.firstElementChild, box);
  $('.timing', card.element).textContent = '';
  state(card, '');
  say(`${card.name}: ${[`${title}.`, detail, advice].filter(Boolean).join(' ')}`);
}

const sentence = (text = '') => (/^\w+:/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1)) + (/[\w)"]$/.test(text) ? '.' : ''); // top_k: ... keeps its name
const state = (card, text) => { $('.state', card.element).textContent = text; };
const say = (text) => { $('#say').textContent = text; };
const ratio = (element, width, height) => element.style.setProperty('--ratio', width / height);
const percent = (p) => p >= 0.0005 ? `${(100 * p).toFixed(1)} %` : '< 0.1 %';
const ms = (value) => value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`;
const bytes = (n) => n < 1000 ? `${n} bytes` : n < 1e6 ? `${Math.round(n / 1000)} kB` : `${(n / 1e6).toFixed(1)} MB`;

// ---- controls ----
function blend() {
  document.documentElement.style.setProperty('--alpha', alpha.value / 100);
  $('#alpha-text').value = `${alpha.value} %`;
  alpha.setAttribute('aria-valuetext', `${alpha.value} percent`);
  curl();
}

const boxes = () => document.body.classList.toggle('boxes', $('#boxes').checked);

function curl() {
  const address = new URL('cam', document.baseURI), given = query(alpha.value === '50' ? {} : { alpha: String(alpha.value / 100) });
  given.delete('include');
  address.search = given;
  const where = address.search ? `'${address}'` : String(address);
  const key = $('#key-row').hidden ? '' : " -H 'Authorization: Bearer KEY'"; // never the key itself: commands are copied to all sorts of places
  $('#curl-json').textContent = `curl -F image=@photo.jpg${key} ${where}`;
  $('#curl-png').textContent = `curl -F image=@photo.jpg${key} -H 'Accept: image/png' -o cam.png ${where}`;
}

async function copy(button) {
  const text = $('#' + button.dataset.copy);
  try {
    await navigator.clipboard.writeText(text.textContent);
    button.textContent = 'Copied';
    say('Copied');
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  } catch { // plain http on another host: no clipboard; select it, so that Ctrl+C does
    getSelection().selectAllChildren(text);
    text.focus();
  }
}

// "Also explain": a model's names are fetched when they are first wanted; an index, a WordNet id, a name or a part of one is enough.
let labels;
function fetchLabels() {
  const model = form.elements.model.value;
  labels ||= fetch(`labels?${new URLSearchParams(model ? { model } : {})}`).then((response) => response.json()).catch(() => { labels = null; return []; });
  return labels;
}

// The choice of a model is shown where there is one; its value is empty where there is none.
function offerModels(names) {
  $('#model').textContent = names[0];
  if (names.length < 2) return;
  form.elements.model.append(...names.map((name) => new Option(name)));
  $('#model-row').hidden = false;
  curl();
}

async function changeModel(field) { // its classes are others
  $('#model').textContent = field.value;
  labels = null;
  $('#labels').replaceChildren();
  await findClass(form.elements.classes);
}

async function offerClasses() {
  const names = $('#labels'), list = await fetchLabels();
  if (!names.children.length) names.append(...list.map((entry) => new Option('', classText(entry))));
}

const classText = ({ class_id: id, label }) => `${id}: ${label}`;

async function findClass(field) { // true: the field is empty or holds a class, written out
  const wanted = field.value.trim().toLowerCase();
  const tests = [(entry) => [classText(entry), String(entry.class_id), entry.wnid ?? ''].some((name) => name.toLowerCase() === wanted),
    ({ label }) => label.toLowerCase().split(', ').includes(wanted), ({ label }) => label.toLowerCase().includes(wanted)];
  const list = wanted ? await fetchLabels() : [];
  const found = tests.map((test) => list.find(test)).find(Boolean);
  if (found) field.value = classText(found);
  const fine = !wanted || found || !list.length; // without the list the service decides
  field.setCustomValidity(fine ? '' : `The network knows no class "${field.value.trim()}".`);
  if (!fine) say(field.validationMessage);
  return fine || field.reportValidity();
}

alpha.addEventListener('input', blend);
form.addEventListener('submit', (event) => event.preventDefault());
form.elements.classes.addEventListener('focus', offerClasses);
form.elements.classes.addEventListener('input', ({ target }) => target.setCustomValidity(''));
$('#boxes').addEventListener('change', boxes);
form.addEventListener('change', async ({ target }) => {
  if (target === alpha || target.id === 'boxes') return; // these ask nothing
  if (target.name === 'classes' && !await findClass(target)) return;
  if (target.name === 'model') await changeModel(target);
  document.body.dataset.colormap = form.elements.colormap.value;
  curl();
  cards.forEach(enqueue);
});
$('#clear').addEventListener('click', () => { [...cards].forEach(remove); say('Cleared'); });
document.querySelectorAll('[data-copy]').forEach((button) => button.addEventListener('click', () => copy(button)));
for (const input of [$('#pick'), $('#camera')]) {
  input.addEventListener('change', () => { if (input.files.length) add(input.files); input.value = ''; }); // '': the same file may be chosen again
}

// ---- anywhere on the page ----
const curtain = (on) => document.body.classList.toggle('dragging', on);
document.addEventListener('dragover', (event) => { event.preventDefault(); curtain(true); });
document.addEventListener('dragleave', (event) => { if (!event.relatedTarget) curtain(false); });
document.addEventListener('drop', (event) => { event.preventDefault(); curtain(false); add(event.dataTransfer.files); });
document.addEventListener('paste', (event) => {
  if (!event.clipboardData.files.length) return; // text into a field
  event.preventDefault();
  add(event.clipboardData.files);
});

blend();
boxes(); // here too: a browser may restore fields after a reload
document.body.dataset.colormap = form.elements.colormap.value;
fetch('v1/models').then((response) => response.json()).then(({ models }) => offerModels(models)).catch(() => {});
fetch('version').then((response) => response.json()).then(({ version, isa }) => {
  $('#model').title = `camserve ${version}, ${isa}`;
}).catch(() => {});
