// notices.js - messages that stay until they are dismissed, each with at most one thing to do about it. Screen readers hear them at once.

const MOST = 3; // at a time; the oldest leaves

// tone: 'info' or 'problem'. action: {text, run}, or nothing.
export function notice(words, { tone = 'info', action } = {}) {
  const list = document.getElementById('notices'), element = document.createElement('div'), text = document.createElement('p');
  for (const same of [...list.children].filter((each) => each.firstChild.textContent === words)) same.remove();
  while (list.children.length >= MOST) list.firstChild.remove();
  text.textContent = words;
  element.className = `notice ${tone}`;
  element.setAttribute('role', tone === 'problem' ? 'alert' : 'status');
  element.append(text);
  if (action) element.append(button(action.text, () => { element.remove(); action.run(); }));
  const dismiss = button('×', () => element.remove());
  dismiss.setAttribute('aria-label', 'Dismiss');
  dismiss.classList.add('dismiss');
  element.append(dismiss);
  list.append(element);
  return element;
}

function button(text, run) {
  const made = document.createElement('button');
  made.type = 'button';
  made.className = 'button small';
  made.textContent = text;
  made.onclick = run;
  return made;
}
