/* test_unpickle.c - pickles written byte by byte, as Python 2 and Python 3 write them and as an
 * attacker would. Each is read from memory of just its length, so that the address sanitizer sees a
 * byte too many. */
#include "convert/unpickle.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static arena *memory;
static uint8_t *bytes;
static cam_error error;
static size_t used;

static void open_memory(void) { memory = arena_create(1 << 20); }
static void close_memory(void) {
  arena_free(memory);
  free(bytes);
  bytes = NULL;
}

static cam_code read_bytes(const void *from, size_t n, const pickle_value **out) {
  free(bytes);
  bytes = malloc(n ? n : 1);
  memcpy(bytes, from, n);
  error = (cam_error){0};
  return unpickle(memory, bytes, n, &used, out, &error);
}
#define READ(literal, out) read_bytes(literal, sizeof(literal) - 1, out)

static const pickle_value *good_bytes(const char *from, size_t n) {
  const pickle_value *value;
  cam_code code = read_bytes(from, n, &value);
  ck_assert_msg(!code, "%s", error.detail);
  ck_assert_uint_eq(used, n);
  return value;
}
#define GOOD(literal) good_bytes(literal, sizeof(literal) - 1)

static void bad_bytes(const char *from, size_t n, const char *expected) {
  const pickle_value *value;
  ck_assert_int_eq(read_bytes(from, n, &value), CAM_E_WEIGHTS);
  ck_assert_ptr_null(value);
  ck_assert_msg(strstr(error.detail, expected) != NULL, "'%s' is not in '%s'", expected,
                error.detail);
}
#define BAD(literal, expected) bad_bytes(literal, sizeof(literal) - 1, expected)

/* ---- what is read ---- */

START_TEST(numbers) {
  static const struct {
    const char *bytes;
    size_t n;
    int64_t value;
  } cases[] = {
#define CASE(literal, value) {literal, sizeof(literal) - 1, value}
      CASE("\x80\x02K\xff.", 255),
      CASE("\x80\x02M\x34\x12.", 0x1234),
      CASE("\x80\x02J\xff\xff\xff\xff.", -1),
      CASE("\x80\x02J\x00\x00\x00\x80.", INT32_MIN),
      CASE("\x80\x02\x8a\x00.", 0),
      CASE("\x80\x02\x8a\x01\x80.", -128),
      CASE("\x80\x02\x8a\x02\x80\x00.", 128),
      CASE("\x80\x02\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f.", INT64_MAX),
      CASE("\x80\x02\x8b\x02\x00\x00\x00\x00\xff.", -256),
      CASE("\x80\x02\x88.", 1),
      CASE("\x80\x02\x89.", 0),
#undef CASE
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const pickle_value *value = good_bytes(cases[i].bytes, cases[i].n);
    ck_assert_int_eq(value->type, cases[i].bytes[2] == '\x88' || cases[i].bytes[2] == '\x89'
                                      ? PICKLE_BOOL
                                      : PICKLE_INT);
    ck_assert_int_eq(value->as.integer, cases[i].value);
  }
  ck_assert_double_eq(GOOD("\x80\x02G\xc0\x04\x00\x00\x00\x00\x00\x00.")->as.number,
                      -2.5); /* big-endian */
  const pickle_value *magic = GOOD("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.");
  ck_assert_int_eq(magic->type, PICKLE_LONG);
  ck_assert_uint_eq(magic->as.bytes.n, 10);
  ck_assert_int_eq(GOOD("\x80\x02N.")->type, PICKLE_NONE);
}
END_TEST

START_TEST(texts) {
  static const struct {
    const char *bytes;
    size_t n;
    pickle_type type;
  } cases[] = {
#define CASE(literal, type) {literal, sizeof(literal) - 1, type}
      CASE("\x80\x02U\x03\x61\x00\xff.", PICKLE_BYTES),
      CASE("\x80\x02T\x03\x00\x00\x00\x61\x00\xff.", PICKLE_BYTES),
      CASE("\x80\x03"
           "C\x03\x61\x00\xff.",
           PICKLE_BYTES),
      CASE("\x80\x03"
           "B\x03\x00\x00\x00\x61\x00\xff.",
           PICKLE_BYTES),
      CASE("\x80\x04\x8e\x03\x00\x00\x00\x00\x00\x00\x00\x61\x00\xff.", PICKLE_BYTES),
      CASE("\x80\x05\x96\x03\x00\x00\x00\x00\x00\x00\x00\x61\x00\xff.", PICKLE_BYTES),
      CASE("\x80\x02X\x03\x00\x00\x00\x61\x00\xff.", PICKLE_TEXT),
      CASE("\x80\x04\x8c\x03\x61\x00\xff.", PICKLE_TEXT),
      CASE("\x80\x04\x8d\x03\x00\x00\x00\x00\x00\x00\x00\x61\x00\xff.", PICKLE_TEXT),
#undef CASE
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const pickle_value *value = good_bytes(cases[i].bytes, cases[i].n);
    ck_assert_int_eq(value->type, cases[i].type);
    ck_assert_uint_eq(value->as.bytes.n, 3);
    ck_assert_mem_eq(value->as.bytes.data, "a\0\xff", 3);
    const char *text;
    ck_assert(!pickle_text(memory, value, &text)); /* a NUL inside */
  }
}
END_TEST

START_TEST(containers) {
  const pickle_value *dict = GOOD("\x80\x02}q\x00(U\x01"
                                  "aK\x01X\x01\x00\x00\x00"
                                  "b](K\x02K\x03"
                                  "eU\x01"
                                  "c)uU\x01"
                                  "a(K\x04K\x05K\x06K\x07ts.");
  ck_assert_int_eq(dict->type, PICKLE_DICT);
  ck_assert_uint_eq(pickle_find(dict, "b")->as.list.n, 2);
  ck_assert_int_eq(pickle_find(dict, "b")->as.list.items[1]->as.integer, 3);
  ck_assert_int_eq(pickle_find(dict, "c")->type, PICKLE_TUPLE);
  ck_assert_uint_eq(pickle_find(dict, "a")->as.list.n, 4); /* given twice: the last */
  ck_assert_ptr_null(pickle_find(dict, "d"));
  ck_assert_uint_eq(GOOD("\x80\x02K\x01\x85.")->as.list.n, 1);
  ck_assert_uint_eq(GOOD("\x80\x02K\x01K\x02\x86.")->as.list.n, 2);
  const pickle_value *three = GOOD("\x80\x02K\x01K\x02K\x03\x87.");
  ck_assert_uint_eq(three->as.list.n, 3);
  ck_assert_int_eq(three->as.list.items[0]->as.integer, 1);
  ck_assert_int_eq(GOOD("\x80\x02]K\x05"
                        "a(K\x01K\x02"
                        "1N0(02\x86.")
                       ->as.list.items[1]
                       ->as.list.items[0]
                       ->as.integer,
                   5); /* POP, POP_MARK, POP of a mark, DUP */
  ck_assert_int_eq(GOOD("\x80\x02"
                        "ccollections\nOrderedDict\n)R}b.")
                       ->type,
                   PICKLE_DICT); /* by Python 3, with attributes */
  const pickle_value *pairs = GOOD("\x80\x02"
                                   "ccollections\nOrderedDict\n](](U\x01"
                                   "aK\x05"
                                   "ee\x85R."); /* by Python 2 */
  ck_assert_int_eq(pickle_find(pairs, "a")->as.integer, 5);
}
END_TEST

START_TEST(the_memo) {
  const pickle_value *list = GOOD("\x80\x02](K\x07q\x05h\x05r\x00\x01\x00\x00j\x00\x01\x00\x00"
                                  "e.");
  ck_assert_uint_eq(list->as.list.n, 3);
  ck_assert_ptr_eq(list->as.list.items[0], list->as.list.items[2]);
  list = GOOD("\x80\x04\x95\x08\x00\x00\x00\x00\x00\x00\x00]\x94(K\x07\x94h\x01"
              "e."); /* FRAME, MEMOIZE: 0 is the list, 1 the 7 */
  ck_assert_int_eq(list->as.list.items[1]->as.integer, 7);
  list = GOOD("\x80\x02]q\x00h\x00"
              "a."); /* contains itself: harmless to whoever walks to a fixed depth */
  ck_assert_ptr_eq(list->as.list.items[0], list);
}
END_TEST

/* cPickle of Python 2: two arrays, 2 x 3 in Fortran order and 2 in C order, that share their dtype
 * (memo 10). */
#define PYTHON2 \
  "\x80\x02}q\x01(U\x01" \
  "aq\x02" \
  "cnumpy.core.multiarray\n_reconstruct\nq\x03" \
  "cnumpy\nndarray\nq\x04K\x00\x85q\x05U\x01" \
  "bq\x06\x87q\x07Rq\x08" \
  "(K\x01K\x02K\x03\x86q\x09" \
  "cnumpy\ndtype\nq\x0aU\x02" \
  "f4q\x0bK\x00K\x01\x87q\x0cRq\x0d(K\x03U\x01<" \
  "q\x0eNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x0f" \
  "b" \
  "\x88T\x18\x00\x00\x00" \
  "111122223333444455556666q\x10tq\x11" \
  "b" \
  "U\x01" \
  "cq\x12h\x03h\x04K\x00\x85q\x13h\x06\x87q\x14Rq\x15(K\x01K\x02\x85q\x16h\x0d\x89U\x08" \
  "aaaabbbbq\x17tq\x18" \
  "bu."

START_TEST(arrays_of_python_2) {
  const pickle_value *dict = GOOD(PYTHON2), *a = pickle_find(dict, "a"),
                     *c = pickle_find(dict, "c");
  ck_assert_int_eq(a->type, PICKLE_ARRAY);
  ck_assert(a->as.array.built && a->as.array.fortran && !c->as.array.fortran);
  ck_assert_int_eq(a->as.array.rank, 2);
  ck_assert_int_eq(a->as.array.shape[1], 3);
  ck_assert_mem_eq(a->as.array.data->as.bytes.data, "1111222233334444", 16);
  ck_assert_ptr_eq(a->as.array.dtype, c->as.array.dtype);
  ck_assert_int_eq(c->as.array.dtype->as.dtype.type, NUMBER_F32);
  ck_assert(!c->as.array.dtype->as.dtype.big_endian);
}
END_TEST

/* Python 3 at protocol 2: bytes are latin-1 texts; the dtype is big-endian; NumPy 2's module. */
#define DTYPE3 \
  "cnumpy\ndtype\nX\x02\x00\x00\x00" \
  "f4\x89\x88\x87R(K\x03X\x01\x00\x00\x00>NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
#define ENCODED(length, text) \
  "c_codecs\nencode\nX" length "\x00\x00\x00" text "X\x06\x00\x00\x00latin1\x86R"
#define ARRAY3(data) \
  "\x80\x02" \
  "cnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" ENCODED( \
      "\x01", "b") "\x87R(K\x01K\x01\x85" DTYPE3 "\x89" data "tb."

START_TEST(arrays_of_python_3) {
  const pickle_value *a = GOOD(ARRAY3(ENCODED("\x06", "\x3f\xc2\x80\xc3\xbf\x01")));
  ck_assert_uint_eq(a->as.array.data->as.bytes.n, 4);
  ck_assert_mem_eq(a->as.array.data->as.bytes.data, "\x3f\x80\xff\x01", 4);
  ck_assert(a->as.array.dtype->as.dtype.big_endian);
  /* protocol 4: names from the stack; protocol 5: a buffer */
  a = GOOD("\x80\x05\x8c\x12numpy.core.numeric\x94\x8c\x0b_frombuffer\x94\x93\x94("
           "\x96\x08\x00\x00\x00\x00\x00\x00\x00"
           "aaaabbbb\x94"
           "\x8c\x05numpy\x94\x8c\x05"
           "dtype\x94\x93\x94\x8c\x02"
           "f4\x89\x88\x87\x94R\x94(K\x03\x8c\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t\x94"
           "bK\x02\x85\x94\x8c\x01"
           "Ct\x94R.");
  ck_assert(a->as.array.built);
  ck_assert_mem_eq(a->as.array.data->as.bytes.data, "aaaabbbb", 8);
}
END_TEST

#define STORAGE \
  "(U\x07storagectorch\nFloatStorage\nU\x03keyU\x03" \
  "cpuK\x0cNtQ"
#define TENSOR(arguments) \
  "\x80\x02" \
  "ctorch._utils\n_rebuild_tensor_v2\n(" arguments "tR."

START_TEST(tensors) {
  const pickle_value *t = GOOD(TENSOR(STORAGE "K\x01K\x02K\x03\x86K\x03K\x01\x86\x89"
                                              "ccollections\nOrderedDict\n)R"));
  ck_assert_int_eq(t->type, PICKLE_TENSOR);
  ck_assert_int_eq(t->as.tensor.offset, 1);
  ck_assert_int_eq(t->as.tensor.shape[1], 3);
  ck_assert_int_eq(t->as.tensor.stride[0], 3);
  ck_assert_int_eq(t->as.tensor.storage->as.storage.count, 12);
  ck_assert_int_eq(t->as.tensor.storage->as.storage.type, NUMBER_F32);
  ck_assert_int_eq(GOOD(TENSOR(STORAGE "K\x00))\x89N"))->as.tensor.rank, 0);
  ck_assert_int_eq(
      GOOD("\x80\x02"
           "ctorch._utils\n_rebuild_parameter\nctorch._utils\n_rebuild_tensor_v2\n(" STORAGE
           "K\x00))tR\x88N\x87R.")
          ->type,
      PICKLE_TENSOR);
}
END_TEST

/* ---- what is refused ---- */

START_TEST(other_globals) {
  BAD("\x80\x02"
      "cos\nsystem\nU\x04"
      "true\x85R.",
      "byte 2: global 'os.system' is not allowed");
  BAD("\x80\x04\x8c\x08"
      "builtins\x8c\x04"
      "eval\x93.",
      "global 'builtins.eval' is not allowed");
  BAD("\x80\x02"
      "cnumpy\nload\n.",
      "global 'numpy.load' is not allowed");
  BAD("\x80\x02"
      "cnumpy.core.multiarray\nscalar\n.",
      "global 'numpy.core.multiarray.scalar' is not allowed");
  BAD("\x80\x02"
      "ctorch\nFloatStorage\n)R.",
      "global 'torch.FloatStorage' may not be called");
  BAD("\x80\x02"
      "cnumpy\nndarray\n)\x81.",
      "global 'numpy.ndarray' may not be called");
  BAD("\x80\x02K\x01)R.", "not a global");
  BAD("\x80\x02"
      "cnumpy\nndarray\nK\x01R.",
      "not a global");
  BAD("\x80\x04K\x01K\x01\x93.", "not texts");
  BAD("\x80\x02"
      "cx\x01\n\xff\n.",
      "global 'x?.?' is not allowed"); /* nothing unprintable reaches the message */
}
END_TEST

START_TEST(other_opcodes) {
  static const struct {
    uint8_t byte;
    const char *name;
  } refused[] = {
      {'I', "INT"},          {'i', "INST"},     {'o', "OBJ"},   {'P', "PERSID"},
      {'S', "STRING"},       {'g', "GET"},      {0x82, "EXT1"}, {0x92, "NEWOBJ_EX"},
      {0x97, "NEXT_BUFFER"}, {0xff, "unknown"}, {0, "unknown"},
  };
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    char expected[80], text[] = {'\x80', 2, (char)refused[i].byte, '\n', '\n', '.'};
    snprintf(expected, sizeof expected, "byte 2: opcode %s (0x%02x) is not allowed",
             refused[i].name, refused[i].byte);
    bad_bytes(text, sizeof text, expected);
  }
  BAD("\x80\x01N.", "protocols 2 to 5");
  BAD("\x80\x06N.", "protocols 2 to 5");
}
END_TEST

/* Each opcode on an empty stack, and above a mark, with each length that its operand may have: only
 * those that push one value succeed. */
START_TEST(each_opcode_on_an_empty_stack) {
  static const struct {
    char byte;
    size_t operand;
  } pushes[] = {
      {'N', 0}, {'\x88', 0}, {'\x89', 0}, {')', 0},    {']', 0},    {'}', 0}, {'K', 1},
      {'M', 2}, {'J', 4},    {'G', 8},    {'\x8a', 1}, {'\x8b', 4}, {'U', 1}, {'T', 4},
      {'C', 1}, {'B', 4},    {'\x8e', 8}, {'\x96', 8}, {'\x8c', 1}, {'X', 4}, {'\x8d', 8},
  };
  static const size_t operands[] = {0, 1, 2, 4, 8};
  for (int marked = 0; marked < 2; marked++)
    for (int byte = 0; byte < 256; byte++)
      for (size_t i = 0; i < 5; i++) {
        char text[16] = {'\x80', 2, 'N', '('};
        size_t n = marked ? 4 : 2;
        text[n] = (char)byte;
        memset(text + n + 1, 0, operands[i]);
        n += 1 + operands[i];
        if (marked)
          text[n++] = 't',
          text[n++] = '0'; /* a tuple of what was pushed, taken away: the None is left */
        text[n++] = '.';
        bool expected = marked && byte == 0x95 &&
                        operands[i] == 8; /* FRAME does nothing: an empty tuple comes of it */
        for (size_t k = 0; k < sizeof pushes / sizeof *pushes; k++)
          expected |= (char)byte == pushes[k].byte && operands[i] == pushes[k].operand;
        const pickle_value *value;
        cam_code code = read_bytes(text, n, &value);
        ck_assert_msg(!code == expected, "opcode 0x%02x, operand of %zu, marked %d: %s", byte,
                      operands[i], marked, error.detail);
      }
}
END_TEST

START_TEST(cut_at_every_byte) {
  static const struct {
    const char *bytes;
    size_t n;
  } whole[] = {
      {PYTHON2, sizeof PYTHON2 - 1},
      {ARRAY3(ENCODED("\x04", "aaaa")), sizeof(ARRAY3(ENCODED("\x04", "aaaa"))) - 1},
      {TENSOR(STORAGE "K\x00))\x89N"), sizeof(TENSOR(STORAGE "K\x00))\x89N")) - 1},
  };
  for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
    good_bytes(whole[i].bytes, whole[i].n);
    for (size_t n = 0; n < whole[i].n; n++)
      bad_bytes(whole[i].bytes, n, "");
  }
}
END_TEST

/* Every single byte changed to each of a few others: whatever it says, it is said without touching
 * memory that is not its own. */
START_TEST(changed_at_every_byte) {
  static const uint8_t others[] = {0, 1, 0x7f, 0x80, 0xff, '(', '0', 'R', 'b', 't', 'h', 'q'};
  size_t n = sizeof PYTHON2 - 1;
  char *text = malloc(n);
  for (size_t i = 0; i < n; i++)
    for (size_t k = 0; k < sizeof others; k++) {
      const pickle_value *value;
      memcpy(text, PYTHON2, n);
      text[i] = (char)others[k];
      close_memory();
      open_memory();
      cam_code code = read_bytes(text, n, &value);
      ck_assert(code == CAM_OK || code == CAM_E_WEIGHTS);
      ck_assert(!code == (value != NULL));
    }
  free(text);
}
END_TEST

START_TEST(bombs) {
  static char text[1 << 18];
  memset(text, ']', sizeof text); /* 100 lists, each put into the one before */
  memset(text + 100, 'a', 99);
  text[199] = '.';
  bad_bytes(text, 200, "nested deeper than 64");
  memset(text, '\x85', 100);
  text[0] = ')';
  bad_bytes(text, 100, "nested deeper than 64");
  memset(text, '(', 100);
  bad_bytes(text, 100, "nested deeper than 64");
  memset(text, '2', 70000); /* DUP */
  text[0] = 'N';
  bad_bytes(text, 70000, "more than 65536 values");
  for (size_t i = 0; i < sizeof text; i += 2)
    memcpy(text + i, "}0", 2); /* values made and dropped */
  bad_bytes(text, sizeof text, "more memory than is allowed");
  size_t n = (size_t)sprintf(text,
                             "(Xhhh"); /* one long text, encoded again and again from the memo */
  memcpy(text + 2, "\x00\x40\x00\x00", 4);
  memset(text + 6, 'a', 0x4000);
  n = 6 + 0x4000;
  n += (size_t)sprintf(text + n, "q\x01X%c", 6);
  memcpy(text + n, "\x00\x00\x00latin1q\x02", 11), n += 11;
  static const char call[] = "c_codecs\nencode\nh\x01h\x02\x86R0";
  for (int i = 0; i < 200; i++)
    memcpy(text + n, call, sizeof call - 1), n += sizeof call - 1;
  bad_bytes(text, n, "more memory than is allowed");
}
END_TEST

START_TEST(counts_out_of_range) {
  BAD("\x80\x02Nr\xff\xff\xff\xff.", "the memo has more than 1048576 values");
  BAD("\x80\x02Nr\x00\x00\x10\x00.", "the memo has more than 1048576 values");
  BAD("\x80\x02h\x00.", "never put");
  BAD("\x80\x02Nq\x01j\x02\x00\x00\x00.", "never put");
  BAD("\x80\x02j\xff\xff\xff\xff.", "never put");
  BAD("\x80\x02T\xff\xff\xff\xff"
      "abc.",
      "ends too early");
  BAD("\x80\x02T\xff\xff\xff\x7f"
      "abc.",
      "ends too early");
  BAD("\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f"
      "abc.",
      "ends too early");
  BAD("\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xff"
      "abc.",
      "out of range");
  BAD("\x80\x04\x95\x40\x00\x00\x00\x00\x00\x00\x00N.", "ends too early");
  BAD("\x80\x02\x8b\xff\xff\xff\x7f.", "ends too early");
  BAD("\x80\x02NN.", "not one value is left");
  BAD("\x80\x02(.", "not one value is left");
}
END_TEST

START_TEST(state_that_does_not_fit) {
  BAD(ARRAY3("U\x05"
             "aaaaa"),
      "an array of shape [1] has 5 bytes");
  BAD(ARRAY3("](NNe"), "an array of numbers has bytes, not a list");
  BAD(ARRAY3(ENCODED("\x03", "\xe2\x82\xac")), "not in latin1");
  BAD(ARRAY3(ENCODED("\x01", "\xc3")), "not in latin1");
  BAD("\x80\x02"
      "cnumpy\ndtype\nU\x03S10\x89\x88\x87R.",
      "dtype 'S10' is not a number");
  BAD("\x80\x02"
      "cnumpy\ndtype\nU\x02"
      "f4\x89\x88\x87R(K\x03U\x01?tb.",
      "byte order");
  BAD("\x80\x02]Nb.", "BUILD is for arrays, dtypes and dicts, not a list");
  BAD("\x80\x02]K\x01K\x02s.", "this is not a dict");
  BAD("\x80\x02}(K\x01u.", "a key has no value");
  BAD("\x80\x02}K\x01"
      "a.",
      "this is not a list");
  BAD("\x80\x02"
      "ccollections\nOrderedDict\n](](K\x01"
      "ee\x85R.",
      "a list of pairs");
  BAD("\x80\x02"
      "cnumpy.core.multiarray\n_reconstruct\n)R.",
      "the class ndarray");
  BAD("\x80\x02"
      "cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01"
      "b\x87R(K\x01(J\xff\xff\xff\x7fJ\xff\xff\xff\x7fJ\xff\xff\xff\x7ft" DTYPE3 "\x89U\x00tb.",
      "has 0 bytes");
  BAD(TENSOR("NK\x00))\x89N"), "takes a storage, not None");
  BAD(TENSOR(STORAGE "J\xff\xff\xff\xff))\x89N"), "offset is -1");
  BAD(TENSOR(STORAGE "K\x00J\xff\xff\xff\xff\x85K\x01\x85\x89N"), "not one with -1");
  BAD(TENSOR(STORAGE "K\x00K\x01\x85)\x89N"), "1 sizes and 0 strides");
  BAD(TENSOR(STORAGE "K\x00(K\x01K\x01K\x01K\x01K\x01K\x01K\x01K\x01K\x01t)\x89N"),
      "at most 8 sizes, not 9");
  BAD("\x80\x02(U\x07storagectorch\nFloatStorage\nU\x03keyU\x03"
      "cpuK\x0c(U\x01xK\x00K\x01ttQ.",
      "not a tuple");
  BAD("\x80\x02(U\x07storagecnumpy\nndarray\nU\x03keyU\x03"
      "cpuK\x0cNtQ.",
      "storage class");
  BAD("\x80\x02(U\x07storagectorch\nFloatStorage\nU\x03keyU\x03"
      "cpuJ\xff\xff\xff\xffNtQ.",
      "has a count");
  BAD("\x80\x02(U\x06modulectorch\nFloatStorage\nU\x03keyU\x03"
      "cpuK\x01NtQ.",
      "('storage', ...)");
}
END_TEST

Suite *unpickle_suite(void);
Suite *unpickle_suite(void) {
  Suite *suite = suite_create("unpickle");
  TCase *tcase = tcase_create("unpickle");
  tcase_add_checked_fixture(tcase, open_memory, close_memory);
  tcase_add_test(tcase, numbers);
  tcase_add_test(tcase, texts);
  tcase_add_test(tcase, containers);
  tcase_add_test(tcase, the_memo);
  tcase_add_test(tcase, arrays_of_python_2);
  tcase_add_test(tcase, arrays_of_python_3);
  tcase_add_test(tcase, tensors);
  tcase_add_test(tcase, other_globals);
  tcase_add_test(tcase, other_opcodes);
  tcase_add_test(tcase, each_opcode_on_an_empty_stack);
  tcase_add_test(tcase, cut_at_every_byte);
  tcase_add_test(tcase, changed_at_every_byte);
  tcase_add_test(tcase, bombs);
  tcase_add_test(tcase, counts_out_of_range);
  tcase_add_test(tcase, state_that_does_not_fit);
  suite_add_tcase(suite, tcase);
  return suite;
}
