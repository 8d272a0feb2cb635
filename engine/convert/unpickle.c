/* unpickle.c - the stack machine: a table of opcodes and one loop. What globals mean is in
 * pickle_globals.c. One thread at a time. */
#include "unpickle.h"
#include "cam_minmax.h"
#include "pickle_globals.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_STACK = 1 << 16, MAX_MARKS = 64, MAX_NESTING = 64, MAX_MEMO = 1 << 20 };

/* What follows an opcode's byte. All little-endian but FLOAT8. */
typedef enum operand {
  NOTHING,
  UINT1,
  UINT2,
  INT4,
  UINT4,
  UINT8,
  FLOAT8,
  BYTES1,
  BYTES4,
  BYTES8,
  LINE
} operand;

typedef struct argument {
  int of_row; /* what tells apart the opcodes that share an action: last column of the table */
  int64_t number;
  double real;
  const uint8_t *data; /* BYTES..., LINE */
  size_t n;
} argument;

typedef struct machine {
  arena *from;
  const uint8_t *begin, *at, *end;
  pickle_value **stack; /* [room] */
  size_t n, room;
  size_t marks[MAX_MARKS]; /* heights of the stack */
  int n_marks;
  pickle_value **memo;
  size_t memo_room, memoized;
  const char *opcode;
  size_t position;
  bool stopped;
  cam_error *error;
} machine;

typedef cam_code action(machine *m, const argument *a);

/* ---- the stack ---- */

static cam_code fail(machine *m, const char *what) {
  return cam_fail(m->error, CAM_E_WEIGHTS, "pickle: byte %zu, opcode %s: %s", m->position,
                  m->opcode, what);
}

/* For actions that are one condition. */
static cam_code fail_unless(machine *m, bool true_of_it, const char *what) {
  if (true_of_it)
    return CAM_OK;
  return fail(m, what);
}

/* Prefixes an error from elsewhere with the place. */
static cam_code at_place(machine *m, cam_code code) {
  if (!code || !m->error)
    return code;
  char detail[sizeof m->error->detail];
  memcpy(detail, m->error->detail, sizeof detail);
  return cam_fail(m->error, code, "pickle: byte %zu: %s", m->position, detail);
}

static cam_code push(machine *m, pickle_value *value) {
  if (m->n == MAX_STACK)
    return fail(m, "the stack has more than 65536 values");
  if (m->n == m->room) {
    const size_t room = max_size(2 * m->room, 256);
    pickle_value **grown = realloc(m->stack, room * sizeof *grown);
    if (!grown)
      return cam_fail(m->error, CAM_E_NO_MEMORY, "pickle: no memory for a stack of %zu values",
                      room);
    m->stack = grown;
    m->room = room;
  }
  m->stack[m->n++] = value;
  return CAM_OK;
}

/* The height of the last mark, below which no value is touched; 0 where there is none. */
static size_t floor_of(const machine *m) {
  if (!m->n_marks)
    return 0;
  return m->marks[m->n_marks - 1];
}

static cam_code need(machine *m, size_t n) {
  return fail_unless(m, m->n - floor_of(m) >= n, "the stack has too few values");
}

/* Takes the mark away: *first is the place of the first value above it. */
static cam_code pop_mark(machine *m, size_t *first) {
  if (!m->n_marks)
    return fail(m, "there is no mark");
  *first = m->marks[--m->n_marks];
  return CAM_OK;
}

static cam_code make(machine *m, pickle_type type, pickle_value **out) {
  return at_place(m, pickle_new(m->from, type, out, m->error));
}

static cam_code push_new(machine *m, pickle_type type, pickle_value **out) {
  const cam_code code = make(m, type, out);
  if (code)
    return code;
  return push(m, *out);
}

/* ---- plain values ---- */

/* A value of a type, with nothing in it. */
static cam_code op_empty(machine *m, const argument *a) {
  pickle_value *made;
  return push_new(m, (pickle_type)a->of_row, &made);
}

static cam_code push_integer(machine *m, pickle_type type, int64_t integer) {
  pickle_value *made;
  cam_code code = push_new(m, type, &made);
  if (!code)
    made->as.integer = integer;
  return code;
}
static cam_code op_bool(machine *m, const argument *a) {
  return push_integer(m, PICKLE_BOOL, a->of_row);
}
static cam_code op_int(machine *m, const argument *a) {
  return push_integer(m, PICKLE_INT, a->number);
}

static cam_code op_float(machine *m, const argument *a) {
  pickle_value *made;
  cam_code code = push_new(m, PICKLE_FLOAT, &made);
  if (!code)
    made->as.number = a->real;
  return code;
}

static cam_code push_bytes(machine *m, pickle_type type, const argument *a) {
  pickle_value *made;
  cam_code code = push_new(m, type, &made);
  if (code)
    return code;
  made->as.bytes.data = a->data;
  made->as.bytes.n = a->n;
  return CAM_OK;
}
static cam_code op_bytes(machine *m, const argument *a) {
  return push_bytes(m, (pickle_type)a->of_row, a);
}

/* Two's complement, little-endian, any length; beyond 64 bits it stays bytes. */
static cam_code op_long(machine *m, const argument *a) {
  if (a->n > 8)
    return push_bytes(m, PICKLE_LONG, a);
  uint64_t bits = 0;
  if (a->n && a->data[a->n - 1] & 0x80)
    bits = ~UINT64_C(0);
  for (size_t i = 0; i < a->n; i++)
    bits = (bits & ~(UINT64_C(255) << 8 * i)) | (uint64_t)a->data[i] << 8 * i;
  return push_integer(m, PICKLE_INT, (int64_t)bits);
}

/* ---- containers ---- */

static cam_code append(machine *m, pickle_value *list, pickle_value *item) {
  if (item->nesting >= MAX_NESTING)
    return fail(m, "values are nested deeper than 64");
  return at_place(m, pickle_append(m->from, list, item, m->error));
}

/* Moves the values from stack[first] on to the end of list. */
static cam_code append_from(machine *m, pickle_value *list, size_t first) {
  for (size_t i = first; i < m->n; i++) {
    cam_code code = append(m, list, m->stack[i]);
    if (code)
      return code;
  }
  m->n = first;
  return CAM_OK;
}

static cam_code tuple_from(machine *m, size_t first) {
  pickle_value *tuple;
  cam_code code = make(m, PICKLE_TUPLE, &tuple);
  if (!code)
    code = append_from(m, tuple, first);
  if (!code)
    code = push(m, tuple);
  return code;
}

/* Of one, two or three values. */
static cam_code op_tuple_of(machine *m, const argument *a) {
  const size_t n = (size_t)a->of_row;
  const cam_code code = need(m, n);
  if (code)
    return code;
  return tuple_from(m, m->n - n);
}

/* Of the values above the mark. */
static cam_code op_tuple(machine *m, const argument *a) {
  (void)a;
  size_t first = 0;
  const cam_code code = pop_mark(m, &first);
  if (code)
    return code;
  return tuple_from(m, first);
}

/* The container of `type` below stack[first], given the values from there on. */
static cam_code extend(machine *m, pickle_type type, size_t first) {
  if (first <= floor_of(m))
    return fail(m, "the stack has too few values");
  pickle_value *container = m->stack[first - 1];
  if (container->type != type && type == PICKLE_DICT)
    return fail(m, "this is not a dict");
  if (container->type != type)
    return fail(m, "this is not a list");
  if (type == PICKLE_DICT && (m->n - first) % 2)
    return fail(m, "a key has no value");
  return append_from(m, container, first);
}

/* One more value for a list; a key and a value for a dict. */
static cam_code op_append(machine *m, const argument *a) {
  const pickle_type type = (pickle_type)a->of_row;
  const size_t n = type == PICKLE_DICT ? 2 : 1;
  const cam_code code = need(m, n + 1);
  if (code)
    return code;
  return extend(m, type, m->n - n);
}

/* All values above the mark. */
static cam_code op_extend(machine *m, const argument *a) {
  size_t first = 0;
  const cam_code code = pop_mark(m, &first);
  if (code)
    return code;
  return extend(m, (pickle_type)a->of_row, first);
}

/* ---- stack and memo ---- */

static cam_code op_mark(machine *m, const argument *a) {
  (void)a;
  if (m->n_marks == MAX_MARKS)
    return fail(m, "values are nested deeper than 64");
  m->marks[m->n_marks++] = m->n;
  return CAM_OK;
}

static cam_code op_pop(machine *m, const argument *a) {
  (void)a;
  if (m->n_marks && floor_of(m) == m->n) { /* POP takes a mark, too */
    m->n_marks--;
    return CAM_OK;
  }
  const cam_code code = need(m, 1);
  if (!code)
    m->n--;
  return code;
}

static cam_code op_pop_mark(machine *m, const argument *a) {
  (void)a;
  size_t first = 0;
  const cam_code code = pop_mark(m, &first);
  if (!code)
    m->n = first;
  return code;
}

static cam_code op_dup(machine *m, const argument *a) {
  (void)a;
  const cam_code code = need(m, 1);
  if (code)
    return code;
  return push(m, m->stack[m->n - 1]);
}

static cam_code put_memo(machine *m, size_t index) {
  cam_code code = need(m, 1);
  if (code)
    return code;
  if (index >= MAX_MEMO)
    return fail(m, "the memo has more than 1048576 values");
  if (index >= m->memo_room) {
    size_t room = max_size(m->memo_room, 256);
    while (room <= index)
      room *= 2;
    pickle_value **grown = realloc(m->memo, room * sizeof *grown);
    if (!grown)
      return cam_fail(m->error, CAM_E_NO_MEMORY, "pickle: no memory for a memo of %zu values",
                      room);
    memset(grown + m->memo_room, 0, (room - m->memo_room) * sizeof *grown);
    m->memo = grown;
    m->memo_room = room;
  }
  m->memoized += !m->memo[index];
  m->memo[index] = m->stack[m->n - 1];
  return CAM_OK;
}
static cam_code op_put(machine *m, const argument *a) { return put_memo(m, (size_t)a->number); }
static cam_code op_memoize(machine *m, const argument *a) {
  (void)a;
  return put_memo(m, m->memoized);
}

static cam_code op_get(machine *m, const argument *a) {
  size_t index = (size_t)a->number;
  if (index >= m->memo_room || !m->memo[index])
    return fail(m, "this memo was never put");
  return push(m, m->memo[index]);
}

/* ---- globals and what is made of them ---- */

static cam_code push_global(machine *m, const uint8_t *module, size_t n_module, const uint8_t *name,
                            size_t n_name) {
  const pickle_global *global = pickle_find_global(module, n_module, name, n_name);
  if (!global)
    return cam_fail(m->error, CAM_E_WEIGHTS, "pickle: byte %zu: global '%.*s.%.*s' is not allowed",
                    m->position, (int)min_size(n_module, 60), (const char *)module,
                    (int)min_size(n_name, 60), (const char *)name);
  pickle_value *made;
  cam_code code = push_new(m, PICKLE_GLOBAL, &made);
  if (!code)
    made->as.global = global;
  return code;
}

/* Two lines: the operand is the module, the line after it the name. */
static cam_code op_global(machine *m, const argument *a) {
  const uint8_t *name = m->at, *end = memchr(name, '\n', (size_t)(m->end - name));
  if (!end)
    return fail(m, "the pickle ends too early");
  m->at = end + 1;
  return push_global(m, a->data, a->n, name, (size_t)(end - name));
}

static cam_code op_stack_global(machine *m, const argument *a) {
  (void)a;
  cam_code code = need(m, 2);
  if (code)
    return code;
  const pickle_value *module = m->stack[m->n - 2], *name = m->stack[m->n - 1];
  if (module->type != PICKLE_TEXT || name->type != PICKLE_TEXT)
    return fail(m, "module and name are not texts");
  m->n -= 2;
  return push_global(m, module->as.bytes.data, module->as.bytes.n, name->as.bytes.data,
                     name->as.bytes.n);
}

/* REDUCE and NEWOBJ: callable, arguments -> result. */
static cam_code op_reduce(machine *m, const argument *a) {
  (void)a;
  cam_code code = need(m, 2);
  if (code)
    return code;
  const pickle_value *callable = m->stack[m->n - 2], *arguments = m->stack[m->n - 1];
  if (callable->type != PICKLE_GLOBAL || arguments->type != PICKLE_TUPLE)
    return fail(m, "this is not a global and a tuple of arguments");
  if (!callable->as.global->call)
    return cam_fail(m->error, CAM_E_WEIGHTS, "pickle: byte %zu: global '%s.%s' may not be called",
                    m->position, callable->as.global->module, callable->as.global->name);
  pickle_value *made;
  code = at_place(m, callable->as.global->call(m->from, arguments, &made, m->error));
  m->n -= 2;
  if (code)
    return code;
  return push(m, made);
}

static cam_code op_build(machine *m, const argument *a) {
  (void)a;
  cam_code code = need(m, 2);
  if (code)
    return code;
  const pickle_value *state = m->stack[--m->n];
  return at_place(m, pickle_build(m->from, m->stack[m->n - 1], state, m->error));
}

static cam_code op_persistent(machine *m, const argument *a) {
  (void)a;
  cam_code code = need(m, 1);
  if (code)
    return code;
  pickle_value *made;
  const pickle_value *id = m->stack[--m->n];
  code = at_place(m, pickle_persistent(m->from, id, &made, m->error));
  if (code)
    return code;
  return push(m, made);
}

static cam_code op_proto(machine *m, const argument *a) {
  return fail_unless(m, a->number >= 2 && a->number <= 5, "only protocols 2 to 5 are read");
}
static cam_code op_frame(machine *m, const argument *a) {
  return fail_unless(m, a->number <= m->end - m->at, "the pickle ends too early");
}
static cam_code op_stop(machine *m, const argument *a) {
  (void)a;
  m->stopped = true;
  return fail_unless(m, !m->n_marks && m->n == 1, "not one value is left");
}

/* ---- the table; an opcode without an action is refused by its name ---- */

static const struct opcode {
  const char *name;
  operand operand;
  action *run;
  int of_row; /* argument.of_row */
} opcodes[256] = {
    [0x80] = {"PROTO", UINT1, op_proto},
    [0x95] = {"FRAME", UINT8, op_frame},
    ['.'] = {"STOP", NOTHING, op_stop},
    ['N'] = {"NONE", NOTHING, op_empty, PICKLE_NONE},
    [0x88] = {"NEWTRUE", NOTHING, op_bool, true},
    [0x89] = {"NEWFALSE", NOTHING, op_bool, false},
    ['J'] = {"BININT", INT4, op_int},
    ['K'] = {"BININT1", UINT1, op_int},
    ['M'] = {"BININT2", UINT2, op_int},
    [0x8a] = {"LONG1", BYTES1, op_long},
    [0x8b] = {"LONG4", BYTES4, op_long},
    ['G'] = {"BINFLOAT", FLOAT8, op_float},
    ['U'] = {"SHORT_BINSTRING", BYTES1, op_bytes, PICKLE_BYTES},
    ['T'] = {"BINSTRING", BYTES4, op_bytes, PICKLE_BYTES},
    ['C'] = {"SHORT_BINBYTES", BYTES1, op_bytes, PICKLE_BYTES},
    ['B'] = {"BINBYTES", BYTES4, op_bytes, PICKLE_BYTES},
    [0x8e] = {"BINBYTES8", BYTES8, op_bytes, PICKLE_BYTES},
    [0x96] = {"BYTEARRAY8", BYTES8, op_bytes, PICKLE_BYTES},
    [0x8c] = {"SHORT_BINUNICODE", BYTES1, op_bytes, PICKLE_TEXT},
    ['X'] = {"BINUNICODE", BYTES4, op_bytes, PICKLE_TEXT},
    [0x8d] = {"BINUNICODE8", BYTES8, op_bytes, PICKLE_TEXT},
    [')'] = {"EMPTY_TUPLE", NOTHING, op_empty, PICKLE_TUPLE},
    [']'] = {"EMPTY_LIST", NOTHING, op_empty, PICKLE_LIST},
    ['}'] = {"EMPTY_DICT", NOTHING, op_empty, PICKLE_DICT},
    [0x85] = {"TUPLE1", NOTHING, op_tuple_of, 1},
    [0x86] = {"TUPLE2", NOTHING, op_tuple_of, 2},
    [0x87] = {"TUPLE3", NOTHING, op_tuple_of, 3},
    ['t'] = {"TUPLE", NOTHING, op_tuple},
    ['a'] = {"APPEND", NOTHING, op_append, PICKLE_LIST},
    ['e'] = {"APPENDS", NOTHING, op_extend, PICKLE_LIST},
    ['s'] = {"SETITEM", NOTHING, op_append, PICKLE_DICT},
    ['u'] = {"SETITEMS", NOTHING, op_extend, PICKLE_DICT},
    ['('] = {"MARK", NOTHING, op_mark},
    ['0'] = {"POP", NOTHING, op_pop},
    ['1'] = {"POP_MARK", NOTHING, op_pop_mark},
    ['2'] = {"DUP", NOTHING, op_dup},
    ['q'] = {"BINPUT", UINT1, op_put},
    ['r'] = {"LONG_BINPUT", UINT4, op_put},
    [0x94] = {"MEMOIZE", NOTHING, op_memoize},
    ['h'] = {"BINGET", UINT1, op_get},
    ['j'] = {"LONG_BINGET", UINT4, op_get},
    ['c'] = {"GLOBAL", LINE, op_global},
    [0x93] = {"STACK_GLOBAL", NOTHING, op_stack_global},
    ['R'] = {"REDUCE", NOTHING, op_reduce},
    [0x81] = {"NEWOBJ", NOTHING, op_reduce},
    ['b'] = {"BUILD", NOTHING, op_build},
    ['Q'] = {"BINPERSID", NOTHING, op_persistent},
    /* known, and not needed */
    ['I'] = {.name = "INT"},
    ['L'] = {.name = "LONG"},
    ['F'] = {.name = "FLOAT"},
    ['S'] = {.name = "STRING"},
    ['V'] = {.name = "UNICODE"},
    ['d'] = {.name = "DICT"},
    ['l'] = {.name = "LIST"},
    ['g'] = {.name = "GET"},
    ['p'] = {.name = "PUT"},
    ['P'] = {.name = "PERSID"},
    ['i'] = {.name = "INST"},
    ['o'] = {.name = "OBJ"},
    [0x82] = {.name = "EXT1"},
    [0x83] = {.name = "EXT2"},
    [0x84] = {.name = "EXT4"},
    [0x8f] = {.name = "EMPTY_SET"},
    [0x90] = {.name = "ADDITEMS"},
    [0x91] = {.name = "FROZENSET"},
    [0x92] = {.name = "NEWOBJ_EX"},
    [0x97] = {.name = "NEXT_BUFFER"},
    [0x98] = {.name = "READONLY_BUFFER"},
};

/* Bytes of the number that an operand is or begins with. */
static const size_t operand_bytes[] = {
    [UINT1] = 1,  [UINT2] = 2,  [INT4] = 4,   [UINT4] = 4,  [UINT8] = 8,
    [FLOAT8] = 8, [BYTES1] = 1, [BYTES4] = 4, [BYTES8] = 8, [LINE] = 0};

/* Bytes up to the end of the line, which is taken, too. */
static cam_code take_rest_of_line(machine *m, argument *a) {
  const size_t left = (size_t)(m->end - m->at);
  const uint8_t *end = NULL;
  if (left)
    end = memchr(m->at, '\n', left);
  if (!end)
    return fail(m, "the pickle ends too early");
  a->data = m->at;
  a->n = (size_t)(end - m->at);
  m->at = end + 1;
  return CAM_OK;
}

static cam_code take_bytes(machine *m, uint64_t n, argument *a) {
  if (n > (uint64_t)(m->end - m->at))
    return fail(m, "the pickle ends too early");
  a->data = m->at;
  a->n = (size_t)n;
  m->at += n;
  return CAM_OK;
}

static cam_code take_argument(machine *m, operand kind, argument *a) {
  const size_t n = operand_bytes[kind];
  if ((size_t)(m->end - m->at) < n)
    return fail(m, "the pickle ends too early");
  if (kind == LINE)
    return take_rest_of_line(m, a);
  uint64_t bits = 0;
  for (size_t i = 0; i < n; i++)
    bits |= (uint64_t)m->at[i] << 8 * i;
  m->at += n;
  if (kind == FLOAT8) {
    bits = __builtin_bswap64(bits);
    memcpy(&a->real, &bits, sizeof a->real);
    return CAM_OK;
  }
  if (bits >> 63)
    return fail(m, "the length is out of range");
  a->number = (int64_t)bits;
  if (kind == INT4)
    a->number = (int32_t)bits;
  if (kind < BYTES1)
    return CAM_OK;
  return take_bytes(m, bits, a);
}

static cam_code step(machine *m) {
  m->position = (size_t)(m->at - m->begin);
  if (m->at == m->end)
    return cam_fail(m->error, CAM_E_WEIGHTS, "pickle: it ends at byte %zu without STOP",
                    m->position);
  const uint8_t byte = *m->at++;
  const struct opcode *opcode = &opcodes[byte];
  if (!opcode->run)
    return cam_fail(m->error, CAM_E_WEIGHTS, "pickle: byte %zu: opcode %s (0x%02x) is not allowed",
                    m->position, opcode->name ? opcode->name : "unknown", byte);
  m->opcode = opcode->name;
  argument a = {.of_row = opcode->of_row};
  const cam_code code = take_argument(m, opcode->operand, &a);
  if (code)
    return code;
  return opcode->run(m, &a);
}

cam_code unpickle(arena *from, const uint8_t *bytes, size_t n, size_t *used,
                  const pickle_value **out, cam_error *error) {
  machine m = {.from = from, .begin = bytes, .at = bytes, .end = bytes + n, .error = error};
  cam_code code = CAM_OK;
  *used = 0;
  *out = NULL;
  while (!code && !m.stopped)
    code = step(&m);
  if (!code) {
    *out = m.stack[0];
    *used = (size_t)(m.at - bytes);
  }
  free(m.stack);
  free(m.memo);
  return code;
}
