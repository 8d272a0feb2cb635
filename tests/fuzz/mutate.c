/* mutate.c - changes that keep a structure: JSON by its values, zip archives by their entries. */
#include "fuzz.h"
#include <stdlib.h>
#include <string.h>

uint64_t fuzz_random(uint64_t *state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

size_t fuzz_splice(uint8_t *bytes, size_t n, size_t most, size_t at, size_t removed,
                   const uint8_t *text, size_t n_text) {
  if (n - removed + n_text > most)
    return n;
  uint8_t *copy = malloc(n_text + 1);
  if (!copy)
    return n;
  if (n_text)
    memcpy(copy, text, n_text);
  memmove(bytes + at + n_text, bytes + at + removed, n - at - removed);
  memcpy(bytes + at, copy, n_text);
  free(copy);
  return n - removed + n_text;
}

/* ---- JSON ---- */

enum { MOST_SPANS = 2048, MOST_DEPTH = 64 };
typedef struct span {
  size_t begin, end;
} span;
typedef struct outline { /* of a text: values or members between commas; what is in quotes; numbers
                          */
  span elements[MOST_SPANS], strings[MOST_SPANS], numbers[MOST_SPANS];
  size_t n_elements, n_strings, n_numbers;
} outline;

static void note(span *list, size_t *n, size_t begin, size_t end) {
  if (end > begin && *n < MOST_SPANS)
    list[(*n)++] = (span){begin, end};
}

static void outline_of(const uint8_t *bytes, size_t n, outline *o) {
  size_t starts[MOST_DEPTH] = {0}, depth = 0, i = 0;
  o->n_elements = o->n_strings = o->n_numbers = 0;
  while (i < n) {
    size_t begin = i++;
    uint8_t c = bytes[begin];
    if (c == '"') {
      while (i < n && bytes[i] != '"')
        i += bytes[i] == '\\' ? 2 : 1;
      if (i < n)
        note(o->strings, &o->n_strings, begin + 1, i);
      i++;
    } else if (c == '-' || (c >= '0' && c <= '9')) {
      while (i < n && bytes[i] && strchr("0123456789.eE+-", bytes[i]))
        i++;
      note(o->numbers, &o->n_numbers, begin, i);
    } else if ((c == '{' || c == '[') && depth + 1 < MOST_DEPTH)
      starts[++depth] = i;
    else if (c == ',' || ((c == '}' || c == ']') && depth)) {
      note(o->elements, &o->n_elements, starts[depth], begin);
      if (c == ',')
        starts[depth] = i;
      else
        depth--;
    }
  }
}

size_t fuzz_mutate_json(uint8_t *bytes, size_t n, size_t most, uint64_t random) {
  static const char *const numbers[] = {"0",
                                        "1",
                                        "2",
                                        "3",
                                        "4",
                                        "5",
                                        "7",
                                        "8",
                                        "9",
                                        "15",
                                        "16",
                                        "17",
                                        "31",
                                        "32",
                                        "33",
                                        "63",
                                        "64",
                                        "65",
                                        "100",
                                        "255",
                                        "256",
                                        "1024",
                                        "4096",
                                        "4097",
                                        "65535",
                                        "65536",
                                        "65537",
                                        "2147483647",
                                        "4294967296",
                                        "9007199254740993",
                                        "18446744073709551616",
                                        "1e308",
                                        "1e999",
                                        "-1",
                                        "-0",
                                        "0.5",
                                        "1e-9"};
  static outline o;
  outline_of(bytes, n, &o);
  const span *element = o.n_elements ? &o.elements[fuzz_random(&random) % o.n_elements] : NULL,
             *other = o.n_elements ? &o.elements[fuzz_random(&random) % o.n_elements] : NULL;
  const span *string = o.n_strings ? &o.strings[fuzz_random(&random) % o.n_strings] : NULL,
             *second = o.n_strings ? &o.strings[fuzz_random(&random) % o.n_strings] : NULL;
  const span *number = o.n_numbers ? &o.numbers[fuzz_random(&random) % o.n_numbers] : NULL;
  const size_t n_element = element ? element->end - element->begin : 0;
  switch (fuzz_random(&random) % 8) {
  case 0:
  case 1: { /* another number */
    const char *text = numbers[fuzz_random(&random) % (sizeof numbers / sizeof *numbers)];
    return number ? fuzz_splice(bytes, n, most, number->begin, number->end - number->begin,
                                (const uint8_t *)text, strlen(text))
                  : 0;
  }
  case 2: /* a text from elsewhere */
    return string ? fuzz_splice(bytes, n, most, string->begin, string->end - string->begin,
                                bytes + second->begin, second->end - second->begin)
                  : 0;
  case 3: /* less */
    return element
               ? fuzz_splice(bytes, n, most, element->begin,
                             n_element + (element->end < n && bytes[element->end] == ','), NULL, 0)
               : 0;
  case 4: { /* once more, elsewhere */
    if (!element || n_element + 1 > most)
      return 0;
    uint8_t *copy = malloc(n_element + 1);
    if (!copy)
      return 0;
    memcpy(copy, bytes + element->begin, n_element);
    copy[n_element] = ',';
    n = fuzz_splice(bytes, n, most, other->begin, 0, copy, n_element + 1);
    free(copy);
    return n;
  }
  case 5: /* this in the place of that */
    return element ? fuzz_splice(bytes, n, most, other->begin, other->end - other->begin,
                                 bytes + element->begin, n_element)
                   : 0;
  case 6: { /* a digit more or less */
    if (!number)
      return 0;
    uint8_t *digit = &bytes[number->end - 1];
    *digit = (uint8_t)('0' + (*digit + fuzz_random(&random) % 2 * 2 - 1 - '0' + 10) % 10);
    return n;
  }
  default: { /* a text that libFuzzer changes */
    enum { ROOM = 64 };
    uint8_t text[ROOM];
    size_t n_text = string ? string->end - string->begin : ROOM;
    if (n_text >= ROOM)
      return 0;
    memcpy(text, bytes + string->begin, n_text);
    size_t changed = fuzz_mutate_bytes(text, n_text, ROOM);
    return fuzz_splice(bytes, n, most, string->begin, n_text, text, changed);
  }
  }
}

/* ---- zip: APPNOTE.TXT 4.3 ---- */

enum { LOCAL = 30, CENTRAL = 46, END = 22, MOST_ENTRIES = 24, MOST_ENTRY = 1 << 16 };
typedef struct entry {
  const uint8_t *name, *data;
  uint32_t n_name, n_data, method, size, crc, at;
} entry;
typedef struct writer {
  uint8_t *at, *end;
  bool full;
} writer;

static uint32_t get(const uint8_t *p, int bytes) {
  uint32_t value = 0;
  for (int i = 0; i < bytes; i++)
    value |= (uint32_t)p[i] << 8 * i;
  return value;
}
static void put(writer *w, uint32_t value, int bytes) {
  if (w->end - w->at < bytes)
    w->full = true;
  for (int i = 0; i < bytes && !w->full; i++)
    *w->at++ = (uint8_t)(value >> 8 * i);
}
static void put_bytes(writer *w, const uint8_t *bytes, size_t n) {
  if ((size_t)(w->end - w->at) < n)
    w->full = true;
  if (!w->full && n)
    w->at = (uint8_t *)memcpy(w->at, bytes, n) + n;
}

uint32_t fuzz_crc32(const uint8_t *bytes, size_t n) {
  uint32_t crc = ~0u;
  for (size_t i = 0; i < n; i++) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; bit++)
      crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  }
  return ~crc;
}

/* The entries that follow one another from the start. */
static int read_entries(const uint8_t *bytes, size_t n, entry *entries) {
  int count = 0;
  for (size_t at = 0;
       count < MOST_ENTRIES && n - at >= LOCAL && get(bytes + at, 4) == 0x04034b50;) {
    const uint8_t *p = bytes + at;
    entry e = {.name = p + LOCAL,
               .n_name = get(p + 26, 2),
               .method = get(p + 8, 2),
               .crc = get(p + 14, 4),
               .n_data = get(p + 18, 4),
               .size = get(p + 22, 4)};
    size_t lead = LOCAL + (size_t)e.n_name + get(p + 28, 2);
    if (lead > n - at || e.n_data > n - at - lead)
      break;
    e.data = p + lead;
    at += lead + e.n_data;
    entries[count++] = e;
  }
  return count;
}

static void put_header(writer *w, const entry *e, bool central) {
  put(w, central ? 0x02014b50 : 0x04034b50, 4);
  if (central)
    put(w, 20, 2);
  put(w, 20, 2), put(w, 0, 2), put(w, e->method, 2),
      put(w, 0x00210000, 4); /* version, flags, method, date */
  put(w, e->crc, 4), put(w, e->n_data, 4), put(w, e->size, 4), put(w, e->n_name, 2), put(w, 0, 2);
  if (central)
    put(w, 0, 2), put(w, 0, 2), put(w, 0, 2), put(w, 0, 4), put(w, e->at, 4);
  put_bytes(w, e->name, e->n_name);
}

size_t fuzz_mutate_zip(uint8_t *bytes, size_t n, size_t most, uint64_t random,
                       size_t (*mutate)(uint8_t *, size_t, size_t, uint64_t)) {
  static uint8_t changed[MOST_ENTRY], whole[4 * MOST_ENTRY];
  entry entries[MOST_ENTRIES];
  int count = read_entries(bytes, n, entries);
  if (!count)
    return 0;
  entry *e = &entries[fuzz_random(&random) % 2
                          ? 0
                          : fuzz_random(&random) % (unsigned)count]; /* the first is the pickle */
  if (e->method || e->n_data > MOST_ENTRY)
    return 0;
  if (e->n_data)
    memcpy(changed, e->data, e->n_data);
  e->n_data = e->size = (uint32_t)mutate(changed, e->n_data, MOST_ENTRY < most ? MOST_ENTRY : most,
                                         random);
  e->data = changed;
  e->crc = fuzz_crc32(changed, e->n_data);
  writer w = {whole, whole + (most < sizeof whole ? most : sizeof whole), false};
  for (int i = 0; i < count; i++) {
    entries[i].at = (uint32_t)(w.at - whole);
    put_header(&w, &entries[i], false);
    put_bytes(&w, entries[i].data, entries[i].n_data);
  }
  uint32_t central = (uint32_t)(w.at - whole);
  for (int i = 0; i < count; i++)
    put_header(&w, &entries[i], true);
  uint32_t n_central = (uint32_t)(w.at - whole) - central;
  put(&w, 0x06054b50, 4), put(&w, 0, 4), put(&w, (uint32_t)count, 2), put(&w, (uint32_t)count, 2),
      put(&w, n_central, 4), put(&w, central, 4), put(&w, 0, 2);
  if (w.full)
    return 0;
  memcpy(bytes, whole, (size_t)(w.at - whole));
  return (size_t)(w.at - whole);
}
