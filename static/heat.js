// heat.js - numbers -> pixels: a class map, a few cells wide, becomes heat over a photo, and a box.
// Flow: answer (include=map) -> enlarge -> levelsOf -> paint -> canvas.
// Without smooth and follow, and with equal settings, these are the pixels of the service's overlay. Knows no page.
//   map    {width, height, values}: row by row, as the service sends it
//   plane  Float32Array: a map's values, as many as a picture has pixels
//   range  {low, high, flat}: the values that become 0 and 1

const float = Math.fround; // the service computes in float32, and so do the bilinear enlargement and the levels here: the same bits

// Each row of the map becomes as wide as the picture first; then rows are mixed, for there are few of them. resize: where a cell's value is,
// 'tf1': in its corner, else in its centre.
export function enlarge({ width: w, height: h, values }, width, height, { smooth, resize } = {}) {
  const { taps, mix } = smooth ? BICUBIC : BILINEAR, at = resize === 'tf1' ? 0 : 0.5, columns = taps(w, width, at), rows = taps(h, height, at), map = Float32Array.from(values);
  const wide = Array.from({ length: h }, () => new Float32Array(width)), plane = new Float32Array(width * height);
  const cell = new Float32Array(1), cells = Array.from({ length: w }, () => new Float32Array(1));
  for (let y = 0; y < h; y++) {
    cells.forEach((each, x) => { each[0] = map[y * w + x]; });
    for (let x = 0; x < width; x++) {
      mix(cells, columns[x], cell);
      wide[y][x] = cell[0];
    }
  }
  for (let y = 0; y < height; y++) mix(wide, rows[y], plane.subarray(y * width, (y + 1) * width));
  return plane;
}

// A way to enlarge: where each of `size` places comes from among n strips, and how those strips become one.
// As the service does: what lies before the first centre is the first value.
const BILINEAR = {
  taps: (n, size, at) => Array.from({ length: size }, (_, to) => {
    const from = Math.max(0, float(float(float(to + at) * float(n / size)) - at)), lower = Math.min(Math.floor(from), n - 1);
    return { lower, upper: Math.min(lower + 1, n - 1), share: float(from - lower) };
  }),
  mix: (strips, { lower, upper, share }, out) => {
    const near = strips[lower], far = strips[upper];
    for (let i = 0; i < out.length; i++) out[i] = near[i] + float(float(far[i] - near[i]) * share);
  },
};

// For the eye: no corners, hardly any ringing. Mitchell and Netravali, Reconstruction Filters in Computer Graphics, SIGGRAPH 1988: B = C = 1/3.
const BICUBIC = {
  taps: (n, size, at) => Array.from({ length: size }, (_, to) => {
    const from = (to + at) * n / size - at, first = Math.floor(from) - 1;
    return [0, 1, 2, 3].map((i) => ({ strip: Math.min(Math.max(first + i, 0), n - 1), share: mitchell(Math.abs(from - first - i)) }));
  }),
  mix: (strips, taps, out) => {
    out.fill(0);
    for (const { strip, share } of taps) for (let i = 0; i < out.length; i++) out[i] += share * strips[strip][i];
  },
};

function mitchell(x) {
  if (x < 1) return (7 * x ** 3 - 12 * x ** 2 + 16 / 3) / 6;
  if (x < 2) return (-7 / 3 * x ** 3 + 12 * x ** 2 - 20 * x + 32 / 3) / 6;
  return 0;
}

// What becomes 0 and 1. relu: no evidence and the most there is; minmax: the least and the most; sides: as much against as for.
export function rangeOf(values, scale) {
  let least = Infinity, most = -Infinity;
  for (const value of values) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  const far = Math.max(most, -least);
  const [low, high] = { relu: [0, most], minmax: [least, most], sides: [-far, far] }[scale];
  return { low, high, flat: !(high > low) };
}

// One range for several maps, so that faint evidence looks faint.
export const commonRange = (maps, scale) => rangeOf(maps.flatMap((map) => map.values), scale);

export const subtract = (a, b) => ({ ...a, values: a.values.map((value, i) => value - b.values[i]) });

// A value as share of its range.
const shareOf = (value, { low, high }) => float(float(value - low) / float(high - low));

// Values become 256 levels: truncated; of sides, rounded, so that nothing for or against is level 128.
export function levelsOf(plane, range, sides) {
  const levels = new Uint8Array(plane.length);
  if (range.flat) return levels.fill(sides ? 128 : 0);
  for (let i = 0; i < plane.length; i++) {
    if (sides) levels[i] = Math.min(1, Math.max(-1, float(plane[i] / range.high))) * 127 + 128.5;
    else levels[i] = float(Math.min(1, Math.max(0, shareOf(plane[i], range))) * 255);
  }
  return levels;
}

// How opaque each level is. follow: cold places keep the photo's colours.
function opacities(alpha, follow, sides) {
  const strength = (level) => (sides ? Math.abs(level - 128) / 127 : level / 255);
  return Float32Array.from({ length: 256 }, (_, level) => (follow ? alpha * strength(level) : alpha));
}

// photo, out: RGBA bytes, one pixel a level; out = opacity * colour + (1 - opacity) * photo, rounded.
// look: {colormap: 256 x RGB, alpha, follow, sides}
export function paint(photo, levels, { colormap, alpha, follow = false, sides = false }, out) {
  const opacity = opacities(alpha, follow, sides);
  for (let i = 0, at = 0; i < levels.length; i++, at += 4) {
    const share = opacity[levels[i]], rest = 1 - share, colour = 3 * levels[i];
    out[at] = share * colormap[colour] + rest * photo[at]; // a clamped array rounds by itself
    out[at + 1] = share * colormap[colour + 1] + rest * photo[at + 1];
    out[at + 2] = share * colormap[colour + 2] + rest * photo[at + 2];
    out[at + 3] = 255;
  }
}

// Around the largest connected place of scaled values >= threshold, in pixels of the photo; null: nothing, or on a common range not enough, speaks
// for the class. As the service does it: at the size of the network's input, neighbours by corners too, of equal ones the first.
export function boxOf(map, { width, height }, image, { scale, resize, range: common }, threshold) {
  const plane = enlarge(map, width, height, { resize }), range = common || rangeOf(plane, scale), least = float(threshold);
  if (range.flat) return scale === 'minmax' ? { x: 0, y: 0, width: image.width, height: image.height } : null;
  const hot = Uint8Array.from(plane, (value) => Math.max(0, shareOf(value, range)) >= least);
  let best = null;
  for (let start = hot.indexOf(1); start >= 0; start = hot.indexOf(1, start + 1)) {
    const found = fill(hot, width, height, start);
    if (!best || found.pixels > best.pixels) best = found;
  }
  if (!best) return null;
  const x = Math.floor(best.left * image.width / width), y = Math.floor(best.top * image.height / height);
  return { x, y, width: Math.ceil((best.right + 1) * image.width / width) - x, height: Math.ceil((best.bottom + 1) * image.height / height) - y };
}

// The component of hot[start], which is taken out of hot.
function fill(hot, width, height, start) {
  const found = { pixels: 0, left: width, right: 0, top: height, bottom: 0 }, open = [start];
  hot[start] = 0;
  while (open.length) {
    const at = open.pop(), x = at % width, y = (at - x) / width;
    found.pixels++;
    found.left = Math.min(found.left, x);
    found.right = Math.max(found.right, x);
    found.top = Math.min(found.top, y);
    found.bottom = Math.max(found.bottom, y);
    for (let v = Math.max(y - 1, 0); v <= Math.min(y + 1, height - 1); v++) {
      for (let u = Math.max(x - 1, 0); u <= Math.min(x + 1, width - 1); u++) {
        if (!hot[v * width + u]) continue;
        hot[v * width + u] = 0;
        open.push(v * width + u);
      }
    }
  }
  return found;
}
