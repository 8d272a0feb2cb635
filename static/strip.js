// strip.js - the photos in a row, one chosen: arrow keys go through them, Delete takes one away. It scrolls sideways, however many there are.
import { thumbnail } from './photos.js';

// onchoose(photo), onremove(photo).
export class Strip {
  constructor(element, { onchoose, onremove }) {
    Object.assign(this, { element, onchoose, onremove, options: new Map() });
    element.addEventListener('keydown', (event) => this.#key(event));
  }

  show(photos, current) {
    const kept = new Set(photos);
    for (const [photo, option] of this.options) {
      if (kept.has(photo)) continue;
      option.remove();
      this.options.delete(photo);
    }
    this.photos = photos;
    this.element.hidden = photos.length < 2;
    photos.forEach((photo, i) => {
      const option = this.options.get(photo) || this.#add(photo);
      if (this.element.children[i] !== option) this.element.insertBefore(option, this.element.children[i] || null);
      const chosen = photo === current, was = option.getAttribute('aria-selected') === 'true';
      option.setAttribute('aria-selected', String(chosen));
      option.tabIndex = chosen ? 0 : -1;
      option.dataset.state = photo.state;
      option.setAttribute('aria-label', `${photo.name}, ${photo.words || photo.state}`);
      if (photo.picture && !option.firstChild) option.append(thumbnail(photo.picture));
      if (chosen && !was) option.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    });
  }

  focus(photo) {
    this.options.get(photo)?.focus();
  }

  #add(photo) {
    const option = document.createElement('div');
    option.className = 'thumb';
    option.setAttribute('role', 'option');
    option.title = photo.name;
    option.onclick = () => this.onchoose(photo);
    this.options.set(photo, option);
    return option;
  }

  #key(event) {
    const at = this.photos.findIndex((photo) => this.options.get(photo) === document.activeElement), last = this.photos.length - 1;
    const to = { ArrowRight: Math.min(at + 1, last), ArrowLeft: Math.max(at - 1, 0), Home: 0, End: last }[event.key];
    if (at < 0 || (to === undefined && event.key !== 'Delete')) return;
    event.preventDefault();
    if (event.key === 'Delete') return this.onremove(this.photos[at]);
    this.onchoose(this.photos[to]);
    this.focus(this.photos[to]);
  }
}
