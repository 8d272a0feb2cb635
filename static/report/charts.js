// charts.js - numbers as lines and bars: SVG made of elements, in the page's colours (report.css). Knows no page and no report.

const NS = 'http://www.w3.org/2000/svg';
const WIDTH = 420, HEIGHT = 270, LEFT = 46, RIGHT = 22, TOP = 12, BOTTOM = 40;

export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// A chart with its axes. x, y: {low, high, ticks: [value], text(value), title}; log: x goes by factors. words: what it shows, for who does not see it.
export class Chart {
  constructor({ x, y, log = false, words }) {
    Object.assign(this, { x, y, log });
    this.element = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': words, class: 'chart' });
    for (const tick of y.ticks) {
      this.#add('line', { x1: LEFT, x2: WIDTH - RIGHT, y1: this.#down(tick), y2: this.#down(tick), class: 'grid' });
      this.#write(LEFT - 6, this.#down(tick) + 4, y.text(tick), 'end');
    }
    for (const tick of x.ticks) this.#write(this.#across(tick), HEIGHT - BOTTOM + 16, x.text(tick), 'middle');
    this.#add('line', { x1: LEFT, x2: WIDTH - RIGHT, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM, class: 'axis' });
    this.#write((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4, x.title, 'middle', 'title');
    this.#write(LEFT, TOP - 2, y.title, 'start', 'title');
  }

  #across(value) {
    const { low, high } = this.x, of = this.log ? Math.log : (v) => v;
    return LEFT + (of(value) - of(low)) / (of(high) - of(low)) * (WIDTH - LEFT - RIGHT);
  }

  #down(value) {
    return HEIGHT - BOTTOM - (value - this.y.low) / (this.y.high - this.y.low) * (HEIGHT - TOP - 10 - BOTTOM);
  }

  #add(name, attributes) {
    const element = svg(name, attributes);
    this.element.append(element);
    return element;
  }

  #write(x, y, text, anchor, kind = 'tick') {
    this.#add('text', { x, y, 'text-anchor': anchor, class: kind }).textContent = text;
  }

  #path(points) {
    return points.map(([x, y], i) => `${i ? 'L' : 'M'}${this.#across(x).toFixed(1)} ${this.#down(y).toFixed(1)}`).join('');
  }

  // points: [[x, y]]
  line(points, kind) {
    return this.#add('path', { d: this.#path(points), class: `line ${kind}` });
  }

  // between: [[x, low, high]]
  band(between, kind) {
    return this.#add('path', { d: `${this.#path([...between.map(([x, , high]) => [x, high]), ...between.map(([x, low]) => [x, low]).reverse()])}Z`, class: `band ${kind}` });
  }

  dot(x, y, radius, kind, title = '') {
    const dot = this.#add('circle', { cx: this.#across(x), cy: this.#down(y), r: radius, class: `dot ${kind}` });
    if (title) dot.append(svg('title', {}, title));
    return dot;
  }

  // A dot that is there already goes elsewhere.
  move(dot, x, y) {
    dot.setAttribute('cx', this.#across(x));
    dot.setAttribute('cy', this.#down(y));
  }
}

// About n round values from low to high.
export function ticksOf(low, high, n = 5) {
  const rough = (high - low) / n, power = 10 ** Math.floor(Math.log10(rough)), step = [1, 2, 5, 10].find((each) => each * power >= rough) * power;
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}
