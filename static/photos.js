// photos.js - files that people give -> photos that the service takes and the browser shows.
// Flow: file -> prepare -> {body, note, picture}. What the browser can open and the service cannot is converted, what is too large is made smaller,
// and `note` says so.
import { bytes } from './words.js';

const VIEW_SIDE = 1600;     // pixels of the picture that is kept for the screen
const SENT_SIDE = 2048;     // of a photo that had to be made smaller; networks take a few hundred
const LARGE_FILE = 8e6;     // bytes; larger ones are made smaller before they are sent
const LARGE_PHOTO = 50e6;   // pixels

// By the first bytes, as the service tells them. sent: the service reads it.
const text = (head, from, to) => String.fromCharCode(...head.subarray(from, to));
const KINDS = [
  { name: 'JPEG', sent: true, is: (head) => head[0] === 0xff && head[1] === 0xd8 },
  { name: 'PNG', sent: true, is: (head) => text(head, 1, 4) === 'PNG' },
  { name: 'WebP', sent: true, is: (head) => text(head, 0, 4) === 'RIFF' && text(head, 8, 12) === 'WEBP' },
  { name: 'BMP', sent: true, is: (head) => text(head, 0, 2) === 'BM' },
  { name: 'GIF', is: (head) => text(head, 0, 3) === 'GIF' },
  { name: 'AVIF', is: (head) => /^ftypavi[fs]/.test(text(head, 4, 12)) },
  { name: 'HEIC', is: (head) => /^ftyp(hei|hev|mif|msf)/.test(text(head, 4, 12)) },
  { name: 'TIFF', is: (head) => /^(II\*\0|MM\0\*)/.test(text(head, 0, 4)) },
];

const HEIC_ADVICE = 'Save it as JPEG: on an iPhone, Settings > Camera > Formats > Most Compatible. Safari can open it as it is.';

async function kindOf(file) {
  let head;
  try {
    head = new Uint8Array(await file.slice(0, 32).arrayBuffer());
  } catch {
    throw { title: 'This cannot be read', detail: 'It is a folder, or the file has moved since it was chosen.', advice: 'Choose the photo again.' };
  }
  return KINDS.find((kind) => kind.is(head));
}

// Upright: browsers turn by EXIF, as the service does. null: the browser cannot open it.
const open = (blob, options) => createImageBitmap(blob, options).catch(() => null);

async function fitted(picture, side) {
  const scale = Math.min(1, side / Math.max(picture.width, picture.height));
  if (scale === 1) return picture;
  const small = await createImageBitmap(picture, { resizeQuality: 'high', resizeWidth: Math.max(1, Math.round(picture.width * scale)), resizeHeight: Math.max(1, Math.round(picture.height * scale)) });
  picture.close();
  return small;
}

async function jpegOf(picture) {
  const canvas = new OffscreenCanvas(picture.width, picture.height), context = canvas.getContext('2d');
  context.fillStyle = '#fff';
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(picture, 0, 0);
  return canvas.convertToBlob({ type: 'image/jpeg', quality: 0.92 });
}

// body: what is sent; picture: an ImageBitmap for the screen; unreadable: the browser cannot open the file, and the service decides.
export async function prepare(file, { smaller = false } = {}) {
  const kind = await kindOf(file), whole = await open(file);
  if (!whole) {
    if (kind && !kind.sent) throw { title: `This browser cannot open ${kind.name} pictures`, detail: 'Nor can the server.', advice: kind.name === 'HEIC' ? HEIC_ADVICE : 'Save it as JPEG or PNG and drop it again.' };
    return { body: file, note: '', picture: null, unreadable: true };
  }
  const { width, height } = whole, reduce = smaller || file.size > LARGE_FILE || width * height > LARGE_PHOTO;
  const picture = await fitted(whole, reduce ? SENT_SIDE : Infinity);
  if (kind?.sent && !reduce) return { body: file, note: '', picture: await fitted(picture, VIEW_SIDE) };
  const body = await jpegOf(picture), made = [];
  if (!kind?.sent) made.push(`${kind?.name || 'This kind of picture'} converted to JPEG`);
  if (reduce) made.push(`${bytes(file.size)} made smaller (${width} × ${height} → ${picture.width} × ${picture.height}, ${bytes(body.size)})`);
  return { body, note: `In this browser: ${made.join(', ')}, before it was sent.`, picture: await fitted(picture, VIEW_SIDE), reduced: reduce };
}

// The picture once more, for a photo that has been looked at before.
export async function reopen(body) {
  const whole = await open(body);
  return whole && fitted(whole, VIEW_SIDE);
}

export function thumbnail(picture, side = 128) {
  const canvas = document.createElement('canvas'), least = Math.min(picture.width, picture.height);
  canvas.width = side;
  canvas.height = side;
  canvas.getContext('2d').drawImage(picture, (picture.width - least) / 2, (picture.height - least) / 2, least, least, 0, 0, side, side);
  return canvas;
}
