// takeaway.js - what is on the screen, to take along: a picture with its words burnt in, commands, a link. Knows no page.
import { compose } from './viewer.js';

const PICTURE_SIDE = 1200; // pixels of the longer side, of photos that have them; small ones are enlarged to half of it
const FONT = 'system-ui, sans-serif';

// scenes: one, or several side by side, as the viewer has them; each with `caption`. credit: the small words below.
export async function picture(scenes, credit, type = 'image/png') {
  const { image } = scenes[0], longest = Math.max(image.width, image.height);
  const scale = Math.min(PICTURE_SIDE, Math.max(longest, PICTURE_SIDE / 2)) / longest;
  const width = Math.max(1, Math.round(image.width * scale)), height = Math.max(1, Math.round(image.height * scale));
  const unit = Math.max(10, Math.round(Math.min(width, 900) / 32)), gap = Math.round(unit / 2), band = 4 * unit;
  const canvas = new OffscreenCanvas(scenes.length * width + (scenes.length - 1) * gap, height + band), context = canvas.getContext('2d');
  context.fillStyle = '#fff';
  context.fillRect(0, 0, canvas.width, canvas.height);
  scenes.forEach((scene, i) => {
    const left = i * (width + gap);
    context.putImageData(compose(scene, width, height), left, 0);
    outline(context, scene.box, left, scale);
    context.fillStyle = '#1c1b1a';
    context.font = `600 ${Math.round(1.15 * unit)}px ${FONT}`;
    context.fillText(scene.caption, left + unit / 2, height + 1.6 * unit, width - unit);
  });
  context.fillStyle = '#66625d';
  context.font = `${Math.round(0.85 * unit)}px ${FONT}`;
  context.fillText(credit, unit / 2, height + 3.1 * unit, canvas.width - unit);
  return canvas.convertToBlob({ type, quality: 0.92 });
}

function outline(context, box, left, scale) {
  if (!box) return;
  for (const [style, line] of [['#000a', 4], ['#fff', 2]]) {
    context.strokeStyle = style;
    context.lineWidth = line;
    context.strokeRect(left + box.x * scale, box.y * scale, box.width * scale, box.height * scale);
  }
}

// Commands for what is seen. Never the key itself: commands are copied to all sorts of places.
export function curl(address, query, wantsKey) {
  return `curl -F image=@photo.jpg${wantsKey ? " -H 'Authorization: Bearer KEY'" : ''} '${address}?${query}'`;
}

export function python(address, query, classId, wantsKey) {
  const parameters = [...query].map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`).join(', ');
  return `import base64, httpx
photo = {"image": open("photo.jpg", "rb")}
reply = httpx.post("${address}", files=photo,
  params={${parameters}}${wantsKey ? ',\n  headers={"Authorization": "Bearer KEY"}' : ''}).json()
seen = next(p for p in reply["predictions"] if p["class_id"] == ${classId})
print(seen["label"], seen["probability"], seen["box"])
open("cam.png", "wb").write(base64.b64decode(seen["overlay_png"]))`;
}
