// large.js - one photo of a page's tiles, large in a dialog: opened from its tile, left by Escape, a button or a click beside it, with steps to those before and after it.
// Flow: tile -> Large.open(photo) -> begin, draw, and draw again once its picture and maps are read.
// Knows no page: which photos there are, and how one is drawn, is told.
import { openPhoto } from './tiles.js';

// dialog: has the buttons #before, #next and #close. list(): the photos that it goes through, in order; begin(photo): another photo comes; draw(photo, index, n): it is
// drawn, the index-th of n, before its picture and maps are read, too.
export class Large {
  photo = null;              // null: the dialog is closed

  constructor(dialog, tiles, { list, begin, draw }) {
    Object.assign(this, { dialog, tiles, list, begin, drawPhoto: draw });
    [this.before, this.next, this.closing] = ['#before', '#next', '#close'].map((id) => dialog.querySelector(id));
    this.before.onclick = () => this.step(-1);
    this.next.onclick = () => this.step(1);
    this.closing.onclick = () => dialog.close();
    dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); }); // beside it
    dialog.addEventListener('keydown', (event) => this.#key(event));
    dialog.addEventListener('close', () => this.#left());
  }

  async open(photo) {
    const last = this.photo;
    this.photo = photo;
    this.begin(photo);
    this.tiles.rove(photo);
    if (last && last !== photo) this.tiles.release(last);
    if (!this.dialog.open) this.dialog.showModal();
    this.draw();
    if (photo.error) return;
    await openPhoto(photo);
    if (this.photo === photo) this.draw();
  }

  draw() {
    if (!this.photo) return;
    const photos = this.list(), index = photos.indexOf(this.photo);
    this.before.disabled = index <= 0;
    this.next.disabled = index >= photos.length - 1;
    this.drawPhoto(this.photo, index, photos.length);
  }

  step(by) {
    const photos = this.list(), to = photos[photos.indexOf(this.photo) + by];
    if (to) this.open(to).then(() => to.button.scrollIntoView({ block: 'nearest' }));
  }

  // Left and right step, but in a viewer, which reads its map by them.
  #key(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || event.target.classList.contains('viewer') || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.step(by);
  }

  #left() {
    const { photo } = this;
    this.photo = null;
    this.tiles.rove(photo, true);
    this.tiles.release(photo);
  }
}
