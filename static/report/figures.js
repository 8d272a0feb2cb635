// figures.js - a report's figures -> the parts of the page, but for the photos. Flow: report.json -> [figures] -> elements, charts.
// Labels and paths reach the page as text, never as markup.
import { firstName } from '../words.js';
import { counted, make } from '../gallery/tiles.js';
import { Chart, ticksOf } from './charts.js';

const MATRIX = 30;           // classes that a matrix can show
const PAIRS = 40;            // rows of the list that is there instead
const LISTED = 12;           // more classes than this begin with those that are found least often

// Their blanks break no line.
export const share = (value) => `${(100 * value).toFixed(1)}\u00a0%`;
const whole = (value) => `${Math.round(100 * value)}\u00a0%`;
const between = ({ low, high }) => `${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)}\u00a0%`;

// What classes are called, in full and in short: a label of WordNet lists several names, one's own is one.
export class ClassNames {
  constructor(classes) {
    this.classes = new Map(classes.map((each) => [each.class_id, each]));
  }

  full(id) {
    return this.classes.get(id)?.label ?? '';
  }

  short(id) {
    return this.classes.has(id) ? firstName(this.classes.get(id)) : '';
  }
}

const put = (element, ...children) => { element.append(...children); return element; };

// A share with its interval, on a line from 0 to 100 %. mark: another share to compare it with.
function track(value, { mark = null } = {}) {
  const line = make('span', 'track'), band = make('i', 'interval'), point = make('i', 'point');
  line.setAttribute('aria-hidden', 'true');
  band.style.left = `${100 * value.low}%`;
  band.style.width = `${100 * (value.high - value.low)}%`;
  point.style.left = `${100 * value.share}%`;
  line.append(band, point);
  if (mark === null) return line;
  const other = make('i', 'mark');
  other.style.left = `${100 * mark}%`;
  line.append(other);
  return line;
}

// Calibration as the model says it, and with a temperature. The one in its file is judged by these photos, unless it was fitted to them: then each half of them
// is judged by the temperature of the other half.
function sureness({ calibration: { as_said: said, fitted, stored } }) {
  const own = stored && fitted && Math.abs(stored.temperature / fitted.temperature - 1) < 0.002;
  return { said, fitted, stored, own, after: own ? fitted : stored ?? fitted };
}

// ---- in short ----
function card(title, value, text, ...more) {
  return put(make('div', 'card'), make('h2', '', title), make('p', 'value', value), ...more, make('p', 'quiet', text));
}

export function headline(element, about, names) {
  const { accuracy, largest_class: largest, top5, answer_above: targets } = about;
  element.append(card('Right', share(accuracy.share),
    `${accuracy.right.toLocaleString('en')} of ${counted(accuracy.of)}. Of all such photos it would be ${between(accuracy)} (95 % interval). The mark: always saying “${names.short(largest.class_id)}”, ${share(largest.share)}.${about.epoch_chosen_by_these_photos ? ' The epoch was chosen by these photos: on others it will be a little less.' : ''}`,
    track(accuracy, { mark: largest.share })));
  if (top5) element.append(card('Among the first five', share(top5.share), `The class is one of the five likeliest: ${between(top5)}.`, track(top5)));
  const target = targets.find((each) => each.target === 0.95 && each.answered < accuracy.of);
  if (target) {
    element.append(card('Right when it is sure', share(target.accuracy.share),
      `of the ${share(target.answered_share)} of photos that it is at least ${share(target.least_probability)} sure of. The others are left unanswered.`, track(target.accuracy)));
  }
  const { said, after } = sureness(about), helps = after && after.error < said.error - 0.0005;
  element.append(card('Sureness is off by', share(said.error),
    `on average: how sure it is, beside how often it is right${helps ? `. With a temperature of ${after.temperature.toFixed(2)}: ${share(after.error)}` : ''}.`));
}

// ---- what is taken for what ----
// onpair(class_id, given)
function matrix(about, names, onpair) {
  const table = make('table', about.classes.length > 6 ? 'matrix many' : 'matrix'), ids = about.classes.map((each) => each.class_id), head = make('tr', '');
  table.append(make('caption', 'quiet', 'Rows: what a photo is. Columns: what it is taken for.'));
  head.append(make('td', ''), ...ids.map((id) => put(Object.assign(make('th', 'over'), { scope: 'col', title: names.full(id) }), make('span', '', names.short(id)))));
  table.append(put(make('thead', ''), head));
  const body = put(make('tbody', ''), ...about.confusion.map((counts, r) => {
    const row = make('tr', ''), all = counts.reduce((a, b) => a + b, 0);
    row.append(Object.assign(make('th', '', names.short(ids[r])), { scope: 'row', title: names.full(ids[r]) }));
    counts.forEach((n, c) => {
      const cell = make('td', r === c ? 'right' : '');
      cell.style.setProperty('--share', `${all ? Math.round(100 * n / all) : 0}%`);
      if (n && r !== c) {
        const button = Object.assign(make('button', '', n), { type: 'button', onclick: () => onpair(ids[r], ids[c]) });
        button.setAttribute('aria-label', `${counted(n)} of ${names.short(ids[r])} taken for ${names.short(ids[c])}: show`);
        cell.append(button);
      } else {
        cell.append(make('span', '', n || ''));
      }
      row.append(cell);
    });
    return row;
  }));
  table.append(body);
  return table;
}

function pairList(about, names, onpair) {
  const table = make('table', 'pairs-list'), body = make('tbody', '');
  table.append(make('caption', 'quiet', about.confused.length > PAIRS ? `The ${PAIRS} most frequent of ${about.confused.length.toLocaleString('en')} pairs.` : 'All pairs, the most frequent first.'),
    put(make('thead', ''), put(make('tr', ''), ...['Is', 'Taken for', 'Photos'].map((text) => Object.assign(make('th', '', text), { scope: 'col' })))), body);
  for (const [id, given, n] of about.confused.slice(0, PAIRS)) {
    const button = Object.assign(make('button', 'link', n.toLocaleString('en')), { type: 'button', onclick: () => onpair(id, given) });
    button.setAttribute('aria-label', `${counted(n)} of ${names.short(id)} taken for ${names.short(given)}: show`);
    body.append(put(make('tr', ''), make('td', '', names.short(id)), make('td', '', names.short(given)), put(make('td', 'number'), button)));
  }
  return table;
}

export function confusion(element, about, names, onpair) {
  element.append(make('h3', '', 'What is taken for what'));
  if (!about.confused.length) element.append(make('p', 'note', 'Nothing is taken for anything else.'));
  if (about.confusion && about.classes.length <= MATRIX) element.append(put(make('div', 'scroll'), matrix(about, names, onpair)));
  else if (about.confused.length) element.append(put(make('div', 'scroll tall'), pairList(about, names, onpair)));
}

// ---- recall and precision ----
const COLUMNS = [
  { name: 'Class', of: (row) => row.label.toLowerCase() },
  { name: 'Photos', of: (row) => -row.photos },
  { name: 'Recall', of: (row) => (row.photos ? row.recall.share : 2), title: 'How many of its photos are recognised' },
  { name: 'Precision', of: (row) => (row.predicted ? row.precision.share : 2), title: 'How many of the photos that are taken for it are it' },
];

function shareCell(value, of) {
  const cell = make('td', 'share');
  if (!of) return put(cell, make('span', 'quiet', 'none'));
  const number = Object.assign(make('span', 'number', whole(value.share)), { title: `${value.right} of ${value.of}; ${between(value)}` });
  return put(cell, number, track(value));
}

export function classTable(element, about, names) {
  const table = make('table', 'classes'), head = make('tr', ''), body = make('tbody', '');
  const sortBy = (column) => {
    head.querySelectorAll('th').forEach((each, i) => each.setAttribute('aria-sort', i === column ? 'ascending' : 'none'));
    const { of } = COLUMNS[column], rows = [...about.classes].sort((a, b) => (of(a) < of(b) ? -1 : of(a) > of(b) ? 1 : a.class_id - b.class_id));
    body.replaceChildren(...rows.map((row) => put(make('tr', ''), Object.assign(make('th', '', names.short(row.class_id)), { scope: 'row', title: row.label }),
      make('td', 'number', row.photos.toLocaleString('en')), shareCell(row.recall, row.photos), shareCell(row.precision, row.predicted))));
  };
  head.append(...COLUMNS.map(({ name, title = '' }, i) => put(Object.assign(make('th', ''), { scope: 'col' }), Object.assign(make('button', 'link', name), { type: 'button', title, onclick: () => sortBy(i) }))));
  table.append(make('caption', 'quiet', 'Recall: how many of its photos are recognised. Precision: how many of the photos that are taken for it are it. Bands: 95 % intervals.'),
    put(make('thead', ''), head), body);
  sortBy(about.classes.length > LISTED ? 2 : 0);
  element.append(make('h3', '', 'How well each class is told'), put(make('div', 'scroll tall'), table));
}

// ---- what is right when the least certain are left unanswered ----
const UNIT = { low: 0, high: 1, ticks: [0, 0.25, 0.5, 0.75, 1], text: whole };

export function coverage(element, about) {
  const rows = about.coverage, least = Math.min(...rows.map((row) => row.accuracy.low)), low = Math.min(0.9, Math.floor(10 * least) / 10);
  const last = rows[rows.length - 1], chart = new Chart({
    x: { ...UNIT, title: 'photos that are answered' }, y: { low, high: 1, ticks: ticksOf(low, 1), text: whole, title: 'of these are right' },
    words: `Of all photos ${share(last.accuracy.share)} are right; of the ${share(rows[0].answered_share)} that it is surest of, ${share(rows[0].accuracy.share)}.`,
  });
  chart.band(rows.map((row) => [row.answered_share, row.accuracy.low, row.accuracy.high]), 'main');
  chart.line(rows.map((row) => [row.answered_share, row.accuracy.share]), 'main');
  const dot = chart.dot(0, 1, 5, 'chosen'), text = make('output', ''), slide = make('input', '');
  const choose = () => {
    const row = rows[rows.length - 1 - slide.value];
    chart.move(dot, row.answered_share, row.accuracy.share);
    text.textContent = `Answered from ${share(row.least_probability)} on: ${share(row.answered_share)} of the photos, of which ${share(row.accuracy.share)} are right (${between(row.accuracy)}).`;
  };
  Object.assign(slide, { type: 'range', min: 0, max: rows.length - 1, oninput: choose });
  const target = about.answer_above.find((each) => each.target === 0.95) ?? about.answer_above[0] ?? last;
  slide.value = rows.length - 1 - rows.findLastIndex((row) => row.answered <= Math.max(target.answered, rows[0].answered));
  choose();
  element.append(make('h3', '', 'If it may say “I do not know”'),
    make('p', 'note', 'The photos that it is least sure of are left unanswered, more and more of them from the right to the left.'), chart.element,
    put(make('label', 'answering'), make('span', 'quiet', 'Leave unanswered'), slide), text);
}

// ---- how true the probabilities are ----
function reliability(chart, { bins }, kind, all) {
  for (const bin of bins.filter((each) => each.photos)) {
    chart.line([[bin.probability, bin.probability], [bin.probability, bin.right / bin.photos]], `stick ${kind}`);
    chart.dot(bin.probability, bin.right / bin.photos, 3 + 9 * Math.sqrt(bin.photos / all), kind, `${counted(bin.photos)}: ${share(bin.probability)} sure, ${share(bin.right / bin.photos)} right`);
  }
}

function legend(entries) {
  return put(make('ul', 'key'), ...entries.map(([kind, text]) => put(make('li', ''), make('i', kind), make('span', '', text))));
}

export function calibration(element, about) {
  const { said, fitted, stored, own, after } = sureness(about);
  const chart = new Chart({
    x: { ...UNIT, title: 'how sure it is' }, y: { ...UNIT, title: 'how often it is right' },
    words: `How sure it is and how often it is right differ by ${share(said.error)} on average${after ? `, with a temperature of ${after.temperature.toFixed(2)} by ${share(after.error)}` : ''}.`,
  });
  chart.line([[0, 0], [1, 1]], 'ideal');
  if (after) reliability(chart, after, 'second', about.photos);
  reliability(chart, said, 'main', about.photos);
  const entries = [['main', `as it says: off by ${share(said.error)} on average`]];
  if (stored && !own) {
    entries.push(['second', `with the temperature in its file, ${stored.temperature.toFixed(2)}: off by ${share(stored.error)}`]);
    if (fitted) entries.push(['blank', `These photos alone would have it at ${fitted.temperature.toFixed(2)}.`]);
  } else if (fitted) {
    entries.push(['second', `with a temperature of ${fitted.temperature.toFixed(2)}${own ? ', which is in its file' : ''}: off by ${share(fitted.error)}, each half of the photos with the temperature of the other`]);
  }
  element.append(make('h3', '', 'Is it as sure as it should be?'), make('p', 'note', 'On the line, of the photos that it is 80 % sure of, 80 % are right. Below it is too sure, above too modest. The larger the dot, the more photos.'),
    chart.element, legend(entries));
}

// ---- training ----
function curve(title, epochs, series, y) {
  const values = series.flatMap(({ name }) => epochs.map((each) => each[name]).filter((value) => value !== undefined));
  const low = y.low ?? Math.min(...values), high = y.high ?? Math.max(...values), last = epochs[epochs.length - 1].epoch, first = Math.min(epochs[0].epoch, last - 1);
  const chart = new Chart({
    x: { low: first, high: last, ticks: ticksOf(first, last).filter(Number.isInteger), text: String, title: 'epoch' },
    y: { low: Math.min(low, high - 1e-6), high, ticks: ticksOf(Math.min(low, high - 1e-6), high), text: y.text, title: '' }, words: title,
  });
  const there = series.filter(({ name }) => epochs.some((each) => each[name] !== undefined));
  for (const { name, kind } of there) {
    const points = epochs.filter((each) => each[name] !== undefined).map((each) => [each.epoch, each[name]]);
    chart.line(points, kind);
    for (const [at, value] of points) chart.dot(at, value, 3, kind, `epoch ${at}: ${y.text(value)}`);
  }
  return put(make('div', 'panel'), make('h3', '', title), chart.element, legend(there.map(({ kind, text }) => [kind, text])));
}

function bySize(sizes) {
  const low = Math.floor(10 * Math.min(...sizes.map((each) => each.accuracy.low))) / 10, counts = sizes.map((each) => each.photos);
  const chart = new Chart({
    x: { low: Math.max(1, Math.min(...counts) * 0.9), high: Math.max(...counts) * 1.1, ticks: counts, text: String, title: 'photos of each class that it learned from' },
    y: { low, high: 1, ticks: ticksOf(low, 1), text: whole, title: 'right' }, log: true, words: sizes.map((each) => `${each.photos} a class: ${share(each.accuracy.share)}`).join(', '),
  });
  chart.band(sizes.map((each) => [each.photos, each.accuracy.low, each.accuracy.high]), 'main');
  chart.line(sizes.map((each) => [each.photos, each.accuracy.share]), 'main');
  for (const each of sizes) chart.dot(each.photos, each.accuracy.share, 4, 'main', `${each.photos} a class: ${share(each.accuracy.share)}`);
  return put(make('div', 'panel'), make('h3', '', 'Would more photos help?'), make('p', 'note', 'The last layer alone, fitted to so many photos of each class. While the line still climbs at its end, more would help.'), chart.element);
}

export function training(element, { epochs, photos_per_class: sizes }) {
  const columns = element.querySelector('.columns');
  element.hidden = !epochs && !sizes;
  if (epochs) {
    columns.append(curve('Right, epoch by epoch', epochs, [{ name: 'train_accuracy', kind: 'second', text: 'photos that it learns from' }, { name: 'val_accuracy', kind: 'main', text: 'photos that it has not learned from' }], { high: 1, text: whole }),
      curve('Cross entropy, epoch by epoch', epochs, [{ name: 'cross_entropy', kind: 'main', text: 'of the photos that it learns from, each before it has; the loss is that and the weight decay' }], { low: 0, text: (value) => String(Number(value.toPrecision(3))) }));
  }
  if (sizes) columns.append(bySize(sizes));
}

// ---- what could not be read ----
export function skipped(element, { skipped: list }) {
  element.hidden = !list.length;
  element.querySelector('summary').textContent = `${counted(list.length)} could not be read, and ${list.length === 1 ? 'is' : 'are'} in no figure`;
  element.querySelector('ul').append(...list.map((each) => put(make('li', ''), make('bdi', '', each.file), make('span', 'quiet', ` ${each.error}`))));
}
