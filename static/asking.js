// asking.js - photos, what is asked about them, and what came back: one request at a time, and none for what is there already.
// Flow: file -> newPhoto -> enqueue -> photos.js (prepare) -> service.js (explain) -> photo.results. Knows no page; it tells by its handlers.
// A result is an answer with `byClass` (class_id -> prediction) and `ranked` (the likeliest), kept by the conditions it was asked under.
import { prepare } from './photos.js';
import { explain } from './service.js';

export const MAPS = 10; // labels that are asked for at once

const SMALLER_MAY_DO = ['too_large', 'too_many_pixels', 'decode_budget'];

// state: waiting, busy, done or failed, and `words` for it.
export const newPhoto = (file, sample) => ({
  file, sample, name: file.name || 'pasted picture', state: 'waiting', words: 'Waiting for its turn', body: null, picture: null, results: new Map(), latest: null,
  problem: null, stop: new AbortController(),
});

export class Asking {
  #queue = [];
  #working = false;

  // conditions(): what all of an answer depends on, as URLSearchParams; classes(): ids that are explained whatever their rank; key();
  // first(): the photo that others wait for; onchange(); onmade(photo): its pixels are there; onanswer(photo); onproblem(photo).
  constructor(handlers) {
    Object.assign(this, handlers);
  }

  resultOf(photo) {
    return photo?.results.get(this.conditions().toString());
  }

  shownOf(photo) { // an earlier result stays until the new one is there
    return this.resultOf(photo) || photo?.latest;
  }

  enqueue(photo) {
    if (!this.#queue.includes(photo)) this.#queue.push(photo);
    this.#work();
  }

  drop(photo) {
    photo.stop.abort();
    this.#queue = this.#queue.filter((each) => each !== photo);
  }

  async #work() {
    if (this.#working) return;
    this.#working = true;
    while (this.#queue.length) {
      const [photo] = this.#queue.splice(Math.max(0, this.#queue.indexOf(this.first())), 1);
      try {
        await this.#look(photo);
      } catch (problem) {
        if (!photo.stop.signal.aborted) this.#fail(photo, problem);
      }
    }
    this.#working = false;
  }

  #state(photo, state, words) {
    Object.assign(photo, { state, words });
    this.onchange();
  }

  #fail(photo, problem) {
    if (!problem.title) console.error(problem); // a mistake of ours
    photo.problem = { title: 'Something went wrong on this page', detail: problem.message, ...problem };
    this.#state(photo, 'failed', photo.problem.title);
    this.onproblem(photo);
  }

  async #look(photo) {
    if (!photo.body) {
      this.#state(photo, 'busy', 'Opening');
      await this.#make(photo);
    }
    const query = this.#missing(photo), under = this.conditions().toString();
    if (query) {
      photo.problem = null;
      await this.#receive(photo, await this.#send(photo, query), under);
      this.onanswer(photo);
    }
    this.#state(photo, 'done', '');
  }

  async #make(photo, how) {
    Object.assign(photo, await prepare(photo.file, how));
    this.onmade(photo);
  }

  // The parameters of what is still to be asked for, or null.
  #missing(photo) {
    const result = this.resultOf(photo), query = this.conditions(), unseen = photo.unreadable && !photo.picture, absent = this.classes().filter((id) => !result?.byClass.has(id));
    if (result && !absent.length) return null;
    query.set('top_k', result ? 1 : MAPS);
    query.set('include', ['map', !result && 'probabilities', unseen && 'overlay'].filter(Boolean).join());
    if (unseen) query.set('alpha', '0'); // a photo that only the server can open comes back as a picture
    if (absent.length) query.set('classes', absent.join());
    return query;
  }

  async #send(photo, query) {
    this.#state(photo, 'busy', 'Looking');
    const send = () => explain({
      body: photo.body, query, key: this.key(), signal: photo.stop.signal,
      onstate: (words) => this.#state(photo, 'busy', words),
      onsent: (share) => { if (photo.body.size > 5e5) this.#state(photo, 'busy', share < 1 ? `Sending ${Math.round(100 * share)} %` : 'Looking'); },
    });
    try {
      return await send();
    } catch (problem) {
      if (photo.reduced || photo.unreadable || !SMALLER_MAY_DO.includes(problem.code)) throw problem;
      await this.#make(photo, { smaller: true }); // once more, as small as the service can want it
      return send();
    }
  }

  async #receive(photo, answer, under) {
    const result = photo.results.get(under) || { ...answer, byClass: new Map(), ranked: answer.predictions.slice(0, MAPS) };
    for (const prediction of answer.predictions) result.byClass.set(prediction.class_id, prediction);
    if (photo.unreadable && !photo.picture) {
      const image = new Image();
      image.src = `data:image/png;base64,${answer.predictions[0].overlay_png}`;
      await image.decode();
      photo.picture = await createImageBitmap(image);
    }
    photo.results.set(under, result);
    photo.latest = result;
  }
}
