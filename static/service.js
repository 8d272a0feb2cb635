// service.js - talks to the service: one photo in, labels and maps out, problems in words. Addresses are relative: it works behind a prefix.
// Flow: photo, query -> POST cam -> answer, or a problem {title, detail, advice, again, request, code} is thrown.
import { bytes, sentence } from './words.js';

const RETRIES = 5;         // of a request that was refused because the service is busy
const LONGEST_WAIT_S = 20; // whatever Retry-After says

const SMALLER = 'Save it smaller, as a plain JPEG: the network needs only a few hundred pixels.';

// For each error code of the contract: what it means, what to do, whether the same photo may succeed later. The service's own detail is between.
const ADVICE = {
  unsupported_format: ['This is not a photo the server can read', 'Save it as JPEG, PNG, WebP or BMP and drop it again.'],
  broken_photo: ['The photo is damaged', 'Open it in another program, save it again as JPEG or PNG, and drop it again.'],
  too_large: ['The file is too large', SMALLER],
  too_many_pixels: ['The photo has too many pixels', SMALLER],
  decode_budget: ['The photo takes too much work to open', SMALLER],
  bad_parameter: ['A setting is not allowed', 'Change it; the photo is sent again by itself.'],
  bad_body: ['The server did not understand the request', 'Reload this page and try again.', true],
  unauthorized: ['This server wants a key', 'Enter the API key; the photo is sent again by itself.'],
  busy: ['The server is busy', 'Too many photos are waiting. Try again in a minute.', true],
  not_ready: ['The server is starting or stopping', 'Try again in a moment.', true],
  deadline: ['The photo took too long', 'The server gave up on it under load. Try again.', true],
};

// onstate(words) tells what is going on, onsent(0..1) how much of the photo has left.
export async function explain({ body, query, key, signal, onstate, onsent }) {
  for (let attempt = 0; ; attempt++) {
    onstate('Looking');
    const started = performance.now(), { status, answer, retryAfter } = await post(`cam?${query}`, body, key, signal, onsent);
    if (retryAfter && attempt < RETRIES) { // 429 busy, 503 starting or draining
      await pause(retryAfter, signal, onstate);
      continue;
    }
    if (status === 200 && answer) return { ...answer, round_trip: performance.now() - started };
    throw problem(status, answer);
  }
}

// Not fetch(): it does not say how much has been sent. Any type but image/... is sent as plain bytes: application/json would be read as JSON.
function post(address, body, key, signal, onsent) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', address);
    request.setRequestHeader('Accept', 'application/json');
    request.setRequestHeader('Content-Type', body.type.startsWith('image/') ? body.type : 'application/octet-stream');
    if (key) request.setRequestHeader('Authorization', `Bearer ${key}`);
    request.upload.onprogress = ({ loaded, total }) => onsent(loaded / total);
    request.onload = () => resolve({ status: request.status, answer: parse(request.responseText), retryAfter: request.getResponseHeader('Retry-After') });
    request.onabort = () => reject(signal.reason);
    request.onerror = () => reject({ // a server that refuses a large body may close the connection before the browser has read why
      code: 'no_answer', title: 'No answer from the server', detail: 'The connection failed or was closed.', again: true,
      advice: body.size > 8e6 ? `At ${bytes(body.size)} the file may be larger than the server takes: try a smaller one.` : 'Check that the server runs, then try again.',
    });
    signal.addEventListener('abort', () => request.abort(), { once: true });
    request.send(body);
  });
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function pause(retryAfter, signal, onstate) {
  const wait = Math.min(Math.max(Number(retryAfter) || 1, 1), LONGEST_WAIT_S);
  for (let left = wait; left > 0; left--) {
    if (signal.aborted) throw signal.reason;
    onstate(`The server is busy. Trying again in ${Math.ceil(left)} s`);
    await new Promise((done) => { setTimeout(done, Math.min(left, 1) * 1000); });
  }
}

function problem(status, answer) {
  const [title, advice, again = false] = ADVICE[answer?.code] || [`The server answered ${status}`, 'Try again, or tell whoever runs this server.', true];
  return { code: answer?.code, title, detail: sentence(answer?.detail), advice, again, request: answer?.request_id };
}

const get = async (address) => {
  const response = await fetch(address);
  if (!response.ok) throw problem(response.status, await response.json().catch(() => null));
  return response.json();
};

// What is known of each model, the first is the default; and of the service.
export async function models() {
  const { models: names } = await get('v1/models');
  return Promise.all(names.map((name) => get(`v1/models/${name}`).catch(() => ({ name }))));
}

export const version = () => get('version');

// All classes of a model, by class_id; fetched when they are first wanted. model '': the default.
const fetched = new Map();
export function classes(model) {
  if (!fetched.has(model)) {
    const list = get(model ? `labels?${new URLSearchParams({ model })}` : 'labels');
    fetched.set(model, list);
    list.catch(() => fetched.delete(model));
  }
  return fetched.get(model);
}
