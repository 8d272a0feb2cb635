// labels.js - the list of labels: one is chosen, by click or arrow keys (they are radio buttons), pointing at one previews it. While a place of the
// map is read, each tells its value there.
import { evidence, namesOf, percent } from './words.js';

const part = (className, text = '') => Object.assign(document.createElement('span'), { className, textContent: text });

// onchoose(class_id); onpreview(class_id, or null).
export class Labels {
  #drawn = '';

  constructor(element, handlers) {
    Object.assign(this, { element, ...handlers });
  }

  // Rows are made anew only where they changed, so that the focus stays where it is. Returns whether they were.
  show(rows, active, previewed, cell) {
    const signature = rows.map((row) => `${row.class_id}:${row.probability}`).join(), anew = signature !== this.#drawn;
    this.#drawn = signature;
    if (anew) this.element.replaceChildren(this.element.firstElementChild, ...rows.map((row) => this.#row(row)));
    rows.forEach((row, i) => {
      const element = this.element.children[i + 1];
      element.classList.toggle('active', row === active);
      if (!previewed) element.firstElementChild.checked = row === active;
      element.querySelector('.here').textContent = cell && row.map ? evidence(row.map.values[cell.y * row.map.width + cell.x]) : '';
    });
    return anew;
  }

  #row({ rank, class_id: id, wnid, label, probability }) {
    const row = document.createElement('label'), bar = part('bar'), fill = document.createElement('i'), [name, ...synonyms] = namesOf({ label, wnid });
    const input = Object.assign(document.createElement('input'), { type: 'radio', name: 'label', value: id });
    fill.style.width = `${100 * probability}%`;
    bar.setAttribute('aria-hidden', 'true');
    bar.append(fill);
    row.className = 'row';
    row.dataset.id = id;
    row.title = label;
    row.append(input, part('label', name), part('here'), part('percent', percent(probability)), bar,
      part('class quiet', [`#${rank}`, synonyms.join(', '), `class ${id}${wnid ? `, ${wnid}` : ''}`].filter(Boolean).join(' · ')));
    input.onchange = () => this.onchoose(id);
    row.onpointerenter = (event) => { if (event.pointerType === 'mouse') this.onpreview(id); };
    row.onpointerleave = () => this.onpreview(null);
    return row;
  }
}
