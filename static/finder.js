// finder.js - the field that finds any class: type, go through what is found by arrow keys, take one by Enter or click (ARIA's combobox pattern).
import { firstName, namesOf, percent, search } from './words.js';

// offer() -> {classes, probabilities}, perhaps later; ontake(entry); onnone(typed).
export function finder(field, list, { offer, ontake, onnone }) {
  let found = [], at = -1;

  const close = () => {
    list.hidden = true;
    at = -1;
    field.setAttribute('aria-expanded', 'false');
    field.removeAttribute('aria-activedescendant');
  };

  const move = (to) => {
    at = to;
    [...list.children].forEach((option, i) => option.setAttribute('aria-selected', String(i === at)));
    field.setAttribute('aria-activedescendant', list.children[at].id);
    list.children[at].scrollIntoView({ block: 'nearest' });
  };

  const take = (entry) => {
    field.value = '';
    close();
    ontake(entry);
  };

  async function suggest() {
    const typed = field.value, { classes, probabilities } = await offer();
    if (field.value !== typed || document.activeElement !== field) return;
    found = search(classes, typed, probabilities);
    list.replaceChildren(...found.map((entry, i) => option(entry, i, probabilities)));
    list.hidden = !found.length;
    at = -1;
    field.setAttribute('aria-expanded', String(found.length > 0));
    field.removeAttribute('aria-activedescendant');
  }

  function option(entry, i, probabilities) {
    const item = document.createElement('li'), name = document.createElement('span'), rest = document.createElement('small'), share = document.createElement('span');
    item.id = `found-${i}`;
    item.setAttribute('role', 'option');
    item.setAttribute('aria-selected', 'false');
    name.textContent = firstName(entry);
    rest.textContent = namesOf(entry).slice(1).join(', ');
    share.className = 'percent';
    share.textContent = probabilities ? percent(probabilities[entry.class_id]) : '';
    item.append(name, rest, share);
    item.onpointerdown = (event) => { event.preventDefault(); take(entry); }; // before the field loses the focus
    return item;
  }

  field.addEventListener('focus', suggest);
  field.addEventListener('input', suggest);
  field.addEventListener('blur', close);
  field.addEventListener('keydown', async (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key], n = found.length;
    if (event.key === 'Escape') close();
    if (step && !list.hidden) {
      event.preventDefault();
      move((Math.max(at, step < 0 ? 0 : -1) + step + n) % n); // around, from the field downwards or upwards
    }
    if (event.key !== 'Enter') return;
    event.preventDefault();
    const typed = field.value.trim(), chosen = at;
    if (!typed && chosen < 0) return;
    if (chosen < 0) await suggest();
    const entry = found[Math.max(chosen, 0)];
    if (entry) take(entry);
    else onnone(typed);
  });
}
