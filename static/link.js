// link.js - a form's settings as they stand in a link, and back: those that differ from their defaults, by name. Knows no page.

function isDefault(field) {
  if (field.type === 'checkbox') return field.checked === field.defaultChecked;
  if (field.type === 'select-one') return field.selectedOptions[0]?.defaultSelected;
  return field.value === field.defaultValue;
}

export function describe(form) {
  const link = new URLSearchParams();
  for (const field of form.elements) {
    if (field.name && !isDefault(field)) link.set(field.name, field.type === 'checkbox' ? Number(field.checked) : field.value);
  }
  return link;
}

// What a field cannot have is left out.
export function restore(form, link) {
  for (const field of form.elements) {
    const value = link.get(field.name);
    if (value === null) continue;
    if (field.type === 'checkbox') field.checked = value === '1';
    else if (field.type !== 'select-one' || [...field.options].some((option) => option.value === value)) field.value = value;
  }
}

// Class ids, out of what people may have mistyped.
export const ids = (text) => (text ?? '').split(',').filter((id) => /^\d{1,6}$/.test(id)).map(Number);
