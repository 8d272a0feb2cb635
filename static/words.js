// words.js - numbers and classes as people read and look for them. Knows no page.

export const percent = (p) => (p >= 0.0005 ? `${(100 * p).toFixed(1)} %` : '< 0.1 %');
export const bytes = (n) => (n < 1000 ? `${n} bytes` : n < 1e6 ? `${Math.round(n / 1000)} kB` : `${(n / 1e6).toFixed(1)} MB`);
export const milliseconds = (value) => (value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`);
export const evidence = (value) => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(1)}`;
// WordNet lists the names of a class, the best first; a class of one's own has one name, whatever is in it.
export const namesOf = ({ label, wnid }) => (wnid ? label.split(', ') : [label]);
export const firstName = (row) => namesOf(row)[0];

// "top_k: ..." keeps the parameter's name as it is written; other details become a sentence.
export function sentence(text = '') {
  const begun = /^\w+:/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1);
  return /[\w)"]$/.test(begun) ? `${begun}.` : begun;
}

// How well a class fits what was typed, 0 best; null: not at all. Whole words come before beginnings, so that "cat" is a tabby cat before it
// is Rana catesbeiana, and beginnings before what is inside a word.
function fit(row, wanted) {
  const { class_id: id, wnid, label } = row, names = namesOf(row).map((name) => name.toLowerCase()), spaced = ` ${label.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, ' ')} `;
  if (String(id) === wanted || wnid === wanted || names.includes(wanted)) return 0;
  const words = wanted.replace(/[^\p{L}\p{N}]+/gu, ' ').trim();
  if (!words) return null;
  if (spaced.includes(` ${words} `)) return 1;
  if (spaced.includes(` ${words}`)) return 2;
  return spaced.includes(words) ? 3 : null;
}

// The classes that fit, best first, equal ones by this photo's probabilities. classes: as /labels has them, in order of their class_id.
export function search(classes, typed, probabilities = [], most = 8) {
  const wanted = typed.trim().toLowerCase(), likely = (entry) => probabilities[entry.class_id] ?? 0;
  return classes.map((entry) => ({ entry, fit: wanted ? fit(entry, wanted) : 3 }))
    .filter((found) => found.fit !== null)
    .sort((a, b) => a.fit - b.fit || likely(b.entry) - likely(a.entry) || a.entry.class_id - b.entry.class_id)
    .slice(0, most).map((found) => found.entry);
}
