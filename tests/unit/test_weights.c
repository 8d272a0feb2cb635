/* test_weights.c - files of weights, NumPy's and PyTorch's, made in memory: what they give, and how
 * broken and hostile ones are refused. */
#include "convert/unpickle.h"
#include "convert/weights_read.h"
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static weights *all;
static cam_error error;
static char path[128];
static int in_memory;
static uint8_t file[1 << 17];
static size_t n_file;

static void begin(void) {
  in_memory = memfd_create(
      "weights", MFD_CLOEXEC); /* thousands of files are written: none of them to a disk */
  ck_assert_int_ge(in_memory, 0);
  snprintf(path, sizeof path, "/proc/self/fd/%d", in_memory);
  n_file = 0;
}
static void end(void) {
  weights_free(all);
  all = NULL;
  close(in_memory);
}

static void add(const void *bytes, size_t n) { memcpy(file + n_file, bytes, n), n_file += n; }
#define ADD(literal) add(literal, sizeof(literal) - 1)

static cam_code read_again(void) {
  FILE *out = fopen(path, "wb");
  ck_assert_uint_eq(fwrite(file, 1, n_file, out), n_file);
  ck_assert_int_eq(fclose(out), 0);
  weights_free(all);
  error = (cam_error){0};
  return weights_read(path, &all, &error);
}
static void good(void) {
  cam_code code = read_again();
  ck_assert_msg(!code, "%s", error.detail);
}
static void bad(const char *expected) {
  ck_assert_int_eq(read_again(), CAM_E_WEIGHTS);
  ck_assert_ptr_null(all);
  ck_assert_msg(strstr(error.detail, expected) != NULL, "'%s' is not in '%s'", expected,
                error.detail);
}

/* A whole fixture into `file`. */
static void load(const char *name) {
  char fixture[200];
  snprintf(fixture, sizeof fixture, "tests/fixtures/convert/%s", name);
  FILE *in = fopen(fixture, "rb");
  ck_assert_msg(in != NULL, "%s", fixture);
  n_file = fread(file, 1, sizeof file, in);
  fclose(in);
}

/* ---- numbers ---- */

START_TEST(ten_kinds_of_numbers) {
  static const struct {
    number_type type;
    const char *little;
    double value;
  } cases[] = {
      {NUMBER_F64, "\x00\x00\x00\x00\x00\x00\x04\xc0", -2.5},
      {NUMBER_F32, "\x00\x00\x20\xc0", -2.5},
      {NUMBER_F16, "\x00\xc1", -2.5},
      {NUMBER_F16, "\x01\x00", 0x1p-24},
      {NUMBER_F16, "\xff\x7b", 65504},
      {NUMBER_BF16, "\x20\xc0", -2.5},
      {NUMBER_I64, "\xfe\xff\xff\xff\xff\xff\xff\xff", -2},
      {NUMBER_I32, "\xfe\xff\xff\xff", -2},
      {NUMBER_I16, "\xfe\xff", -2},
      {NUMBER_I8, "\xfe", -2},
      {NUMBER_U8, "\xfe", 254},
      {NUMBER_BOOL, "\x02", 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint8_t big[8];
    size_t n = number_bytes(cases[i].type);
    for (size_t k = 0; k < n; k++)
      big[k] = (uint8_t)cases[i].little[n - 1 - k];
    double value;
    number_read(&(number_view){.data = (const uint8_t *)cases[i].little, .type = cases[i].type},
                &value);
    ck_assert_double_eq(value, cases[i].value);
    number_read(&(number_view){.data = big, .type = cases[i].type, .big_endian = true}, &value);
    ck_assert_double_eq(value, cases[i].value);
  }
  double value;
  number_read(&(number_view){.data = (const uint8_t *)"\x00\x7c", .type = NUMBER_F16}, &value);
  ck_assert(isinf(value));
  number_read(&(number_view){.data = (const uint8_t *)"\x01\x7c", .type = NUMBER_F16}, &value);
  ck_assert(isnan(value));
}
END_TEST

START_TEST(strides_and_bounds) {
  static const uint8_t bytes[] = {0, 1, 2, 3, 4, 5};
  number_view view = {.data = bytes, .type = NUMBER_U8, .rank = 2, .shape = {2, 3}};
  static const double c_order[] = {0, 1, 2, 3, 4, 5}, fortran[] = {0, 2, 4, 1, 3, 5};
  double out[6];
  number_set_strides(&view, false);
  number_read(&view, out);
  ck_assert_mem_eq(out, c_order, sizeof out);
  number_set_strides(&view, true);
  number_read(&view, out);
  ck_assert_mem_eq(out, fortran, sizeof out);
  ck_assert(number_fits(&view, 6) && !number_fits(&view, 5));
  view.stride[0] = 0,
  view.stride[1] = 0; /* six numbers from one: not with fewer than six behind them */
  ck_assert(number_fits(&view, 6) && !number_fits(&view, 1));
  view.stride[1] = INT64_MAX;
  ck_assert(!number_fits(&view, 1000));
  view.stride[1] = -1;
  ck_assert(!number_fits(&view, 1000));
  view = (number_view){.data = bytes,
                       .type = NUMBER_U8,
                       .rank = 2,
                       .shape = {1, 1},
                       .stride = {INT64_MAX, INT64_MAX}}; /* the stride of one row says nothing */
  ck_assert(number_fits(&view, 1));
  number_read(&view, out);
  view = (number_view){
      .data = bytes, .type = NUMBER_U8, .rank = 3, .shape = {0, INT64_MAX, INT64_MAX}};
  number_set_strides(&view, false);
  ck_assert(number_fits(&view, 0));
  ck_assert_int_eq(number_count(&view), 0);
  view.shape[0] = 3;
  ck_assert_int_eq(number_count(&view), -1);
  ck_assert(!number_fits(&view, UINT64_MAX));
}
END_TEST

/* ---- NumPy ---- */

static void npy(int version, const char *header, const void *pickled, size_t n) {
  n_file = 0;
  size_t length = strlen(header);
  ADD("\x93NUMPY");
  add((char[]){(char)version, 0, (char)length, (char)(length >> 8), 0, 0}, version == 1 ? 4 : 6);
  add(header, length);
  add(pickled, n);
}
#define HEADER "{'descr': '|O', 'fortran_order': False, 'shape': (), }\n"
#define NPY(literal) npy(1, HEADER, literal, sizeof(literal) - 1)
#define ARRAY \
  "cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01" \
  "b\x87R(K\x01K\x02\x85" \
  "cnumpy\ndtype\nU\x02" \
  "f4K\x00K\x01\x87R(K\x03U\x01<NNNNNK\x00tb\x89U\x08" \
  "aaaabbbbtb"

START_TEST(numpy_files) {
  for (int version = 1; version <= 3; version++) {
    npy(version, HEADER, "\x80\x02}U\x01w" ARRAY "s.", sizeof("\x80\x02}U\x01w" ARRAY "s.") - 1);
    good();
    ck_assert_int_eq(all->n, 1);
    ck_assert_ptr_nonnull(weights_find(all, "w"));
    ck_assert_ptr_null(weights_find(all, "v"));
  }
  NPY("\x80\x02}(U\x01w}U\x01x}U\x01y}U\x01z" ARRAY "sssX\x01\x00\x00\x00"
      "a" ARRAY "u.");
  good();
  ck_assert_int_eq(all->n, 2);
  ck_assert_ptr_nonnull(weights_find(all, "w/x/y/z"));
  ck_assert_int_eq(weights_find(all, "a")->view.shape[0], 2);
}
END_TEST

START_TEST(broken_numpy_files) {
  NPY("\x80\x02}.");
  bad("no tensor");
  NPY("\x80\x02}(U\x01w" ARRAY "U\x01w" ARRAY "u.");
  bad("tensor w: the file holds it twice");
  NPY("\x80\x02}q\x00U\x01wh\x00s."); /* a dict in itself */
  bad("more than 4 dicts inside each other");
  NPY("\x80\x02]K\x01"
      "a.");
  bad("holds a list; expected is one dict");
  NPY("\x80\x02}K\x01" ARRAY "s.");
  bad("a key is not a text");
  NPY("\x80\x02}U\x01wK\x01s.");
  bad("w: an int; expected is an array or a dict");
  NPY("\x80\x02}U\x01w"
      "cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01"
      "b\x87Rs.");
  bad("tensor w: the array has no state");
  npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }\n", "aaaabbbbcccc", 12);
  bad("dtype 'f4'; expected is an array of objects");
  npy(1, "{'shape': (3,), }\n", "", 0);
  bad("names no dtype");
  npy(4, HEADER, "", 0);
  bad("format 4.0 is not known");
  load("python2.npy");
  for (size_t n = 0, whole = n_file; n < whole; n++) {
    n_file = n;
    bad("");
  }
}
END_TEST

/* ---- PyTorch, legacy ---- */

typedef struct legacy {
  int32_t count, offset;
  const char *sizes, *strides, *class;
  int64_t written;
  const char *numbers, *keys;
} legacy;

/* One tensor "t" over one storage "k". sizes, strides: as pickled, without a NUL. What is 0 is as
 * in a good file: 2 x 2 of 6 numbers, columns first. */
static void write_legacy(legacy l) {
  if (!l.count)
    l.count = 6;
  if (!l.written)
    l.written = 6;
  if (!l.sizes)
    l.sizes = "K\x02K\x02\x86";
  if (!l.strides)
    l.strides = "K\x01K\x02\x86";
  if (!l.class)
    l.class = "FloatStorage";
  if (!l.numbers)
    l.numbers = "aaaabbbbccccddddeeeeffff";
  if (!l.keys)
    l.keys = "U\x01k";
  n_file = 0;
  ADD("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}.");
  ADD("\x80\x02}U\x01t"
      "ctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\n");
  add(l.class, strlen(l.class));
  ADD("\nU\x01kU\x03"
      "cpuJ");
  add(&l.count, 4);
  ADD("NtQJ");
  add(&l.offset, 4);
  add(l.sizes, strlen(l.sizes));
  add(l.strides, strlen(l.strides));
  ADD("\x89NtRs.\x80\x02](");
  add(l.keys, strlen(l.keys));
  ADD("e.");
  add(&l.written, 8);
  add(l.numbers, strlen(l.numbers));
}
#define LEGACY(...) write_legacy((legacy){__VA_ARGS__})

START_TEST(legacy_files) {
  double values[4];
  LEGACY(.offset = 2);
  good();
  weight *t = weights_find(all, "t");
  ck_assert_int_eq(all->n, 1);
  ck_assert_mem_eq(t->view.data, "ccccddddeeeeffff", 16);
  number_read(&t->view, values);
  float d, e;
  memcpy(&d, "dddd", 4);
  memcpy(&e, "eeee", 4);
  ck_assert_double_eq(values[1], (double)e); /* strides 1, 2: columns first */
  ck_assert_double_eq(values[2], (double)d);
  LEGACY(.sizes = ")", .strides = ")", .offset = 5); /* 0-dimensional: the last number */
  good();
  ck_assert_int_eq(number_count(&weights_find(all, "t")->view), 1);
  LEGACY(.sizes = "K\xc8\x85", .strides = "K\x01\x85"); /* 200 of 6 */
  bad("tensor t: its offset, size and stride reach beyond its storage of 6 numbers");
}
END_TEST

START_TEST(broken_legacy_files) {
  LEGACY(.offset = 3);
  bad("reach beyond its storage of 6 numbers");
  LEGACY(.offset = 7);
  bad("reach beyond");
  LEGACY(.strides = "K\x05K\x01\x86");
  bad("reach beyond");
  LEGACY(.strides = "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7fK\x01\x86");
  bad("reach beyond");
  LEGACY(.sizes = "K\x02K\x02K\x02\x87",
         .strides =
             "J\x01\x01\x01\x01J\x01\x01\x01\x01K\x01\x87"); /* more numbers than the storage has */
  bad("reach beyond");
  LEGACY(.written = 5);
  bad("storage 1 of 1: it has 5 numbers, its tensors expect 6");
  LEGACY(.written = -1);
  bad("its tensors expect 6");
  LEGACY(.count = INT32_MAX, .written = INT32_MAX);
  bad("the file ends within its 2147483647 numbers");
  LEGACY(.class = "DoubleStorage");
  bad("the file ends within");
  LEGACY(.class = "ComplexFloatStorage");
  bad("global 'torch.ComplexFloatStorage' is not allowed");
  LEGACY(.keys = "U\x01j");
  bad("storage 1 of 1: no tensor uses it");
  LEGACY(.keys = "N");
  bad("no tensor uses it");
  LEGACY(.keys = "U\x01kU\x01k");
  bad("storage 2 of 2: no tensor uses it, or it comes twice");
  LEGACY(.keys = "");
  bad("tensor t: the file does not hold its numbers");
  n_file = 0;
  ADD("\x80\x02K\x01.");
  bad("does not begin with the magic number");
  n_file = 0;
  ADD("\x80\x02}.");
  bad("the file holds no tensor");
  n_file = 0;
  ADD("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xea\x03.");
  bad("protocol is not 1001");
  load("legacy.pth");
  for (size_t n = 0, whole = n_file; n < whole; n += 1 + n % 3) {
    n_file = n;
    bad("");
  }
}
END_TEST

/* ---- PyTorch, zip ---- */

START_TEST(broken_zip_files) {
  for (int i = 0; i < 2; i++) {
    load(i ? "deflated.pth" : "stored.pth");
    size_t whole = n_file;
    for (size_t n = 0; n < whole; n += 1 + n % 7) {
      n_file = n;
      bad("");
    }
    load(i ? "deflated.pth" : "stored.pth");
    uint8_t *found = memmem(file, n_file, i ? "PK\x01\x02" : "data/0", i ? 4 : 6);
    ck_assert_ptr_nonnull(found);
    if (i)
      memset(found + 24, 0xff, 3); /* data.pkl claims 16 MB */
    else
      found[8] ^= 1; /* a bit of a stored number: the checksum tells */
    bad("zip: entry");
  }
  load("stored.pth");
  for (uint8_t *at; (at = memmem(file, n_file, "data.pkl", 8));)
    at[0] = 'x';
  bad("no entry is named data.pkl");
  load("stored.pth");
  for (uint8_t *at; (at = memmem(file, n_file, "data/3", 6));)
    at[5] = 'x';
  bad("zip: no entry 'archive/data/3'");
}
END_TEST

/* Any byte changed: an answer or an error, never a crash, a leak or a tensor outside the file. */
START_TEST(changed_at_every_byte) {
  static const char *const names[] = {"python2.npy", "legacy.pth", "deflated.pth",
                                      "python3-protocol5.npy"};
  static uint8_t whole[sizeof file];
  load(names[_i]);
  size_t n = n_file;
  memcpy(whole, file, n);
  uint32_t noise = 1;
  for (size_t i = 0; i < n; i++) {
    memcpy(file, whole, n);
    noise = noise * 1664525 + 1013904223;
    file[i] = i % 3 ? (uint8_t)(noise >> 24) : (uint8_t)(file[i] ^ 1u << (noise >> 29));
    cam_code code = read_again();
    if (code && code != CAM_E_WEIGHTS)
      ck_abort_msg("byte %zu: code %d", i, code); /* a ck_assert that holds writes to a file, too */
    for (int t = 0; !code && t < all->n; t++) {   /* every number may be read */
      int64_t count = number_count(&all->list[t].view);
      if (count > (int64_t)sizeof file)
        ck_abort_msg("byte %zu: %lld numbers", i, (long long)count);
      double *values = malloc((size_t)(count + 1) * sizeof *values);
      number_read(&all->list[t].view, values);
      free(values);
    }
  }
}
END_TEST

/* ---- TensorFlow.js: model.json and the files of its weights beside it ---- */

static void write_beside(const char *folder, const char *name, const void *bytes, size_t n) {
  char beside[128];
  snprintf(beside, sizeof beside, "%s/%s", folder, name);
  FILE *out = fopen(beside, "wb");
  ck_assert_uint_eq(fwrite(bytes, 1, n, out), n);
  ck_assert_int_eq(fclose(out), 0);
}

/* A folder with a.bin of 8 bytes, b.bin of 4, and model.json, which is at `path`. */
static void begin_folder(char folder[64]) {
  static const float numbers[] = {1, 2, 3};
  strcpy(folder, "/tmp/camserve-weights-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/model.json", folder);
  write_beside(folder, "a.bin", numbers, 8);
  write_beside(folder, "b.bin", numbers + 2, 4);
}
static void end_folder(const char *folder) {
  static const char *const names[] = {"a.bin", "b.bin", "model.json"};
  char beside[128];
  for (int i = 0; i < 3; i++) {
    snprintf(beside, sizeof beside, "%s/%s", folder, names[i]);
    remove(beside);
  }
  ck_assert_int_eq(rmdir(folder), 0);
}

#define GROUP(paths, weights) \
  "{\"weightsManifest\": [{\"paths\": [" paths "], \"weights\": [" weights "]}]}"
#define TENSOR(shape) "{\"name\": \"t\", \"shape\": " shape ", \"dtype\": \"float32\"}"
static const struct {
  const char *json, *detail;
  cam_code code;
} manifests[] = {
    {GROUP("\"a.bin\", \"b.bin\"", TENSOR("[3]")), "", CAM_OK},
    {GROUP("\"b.bin\"", TENSOR("[]")), "", CAM_OK},
    {"{\"nodes\": []}", "not a TensorFlow.js model.json", CAM_E_WEIGHTS},
    {"{\"weightsManifest\": []}", "the file holds no tensor", CAM_E_WEIGHTS},
    {"{\"weightsManifest\": [1]}", "no paths or no weights", CAM_E_WEIGHTS},
    {GROUP("\"a.bin\"", TENSOR("[3]")), "have 8 bytes; its tensors take 12", CAM_E_WEIGHTS},
    {GROUP("\"a.bin\", \"b.bin\"", TENSOR("[2]")), "b.bin has 4 bytes; its tensors have room for 0",
     CAM_E_WEIGHTS},
    {GROUP("\"../a.bin\"", TENSOR("[2]")), "\"../a.bin\" is no plain file name", CAM_E_WEIGHTS},
    {GROUP("\"..\"", TENSOR("[2]")), "\"..\" is no plain file name", CAM_E_WEIGHTS},
    {GROUP("1", TENSOR("[2]")), "a path is not a text", CAM_E_WEIGHTS},
    {GROUP("\"c.bin\"", TENSOR("[2]")), "c.bin: No such file", CAM_E_IO},
    {GROUP("\"a.bin\"", TENSOR("[2]") ", " TENSOR("[0]")), "no whole number", CAM_E_WEIGHTS},
    {GROUP("\"a.bin\"", TENSOR("[1]") ", " TENSOR("[1]")), "holds it twice", CAM_E_WEIGHTS},
    {GROUP("\"a.bin\"", TENSOR("[2.5]")), "no whole number", CAM_E_WEIGHTS},
    {GROUP("\"a.bin\"", TENSOR("2")), "at most 8 sides", CAM_E_WEIGHTS},
    {GROUP("\"a.bin\"", TENSOR("[1,1,1,1,1,1,1,1,2]")), "at most 8 sides", CAM_E_WEIGHTS},
    {GROUP("\"a.bin\"", TENSOR("[2147483647,2147483647]")), "too many numbers", CAM_E_WEIGHTS},
    {GROUP("\"a.bin\"", TENSOR("[2147483647]")), "bytes of weights", CAM_E_NO_MEMORY},
    {GROUP("\"a.bin\"", "{\"name\": \"t\", \"shape\": [2], \"dtype\": \"int32\"}"),
     "tensor t: int32; read is float32", CAM_E_WEIGHTS},
    {GROUP("\"a.bin\"", "{\"name\": \"t\", \"shape\": [2], \"dtype\": \"float32\", "
                        "\"quantization\": {}}"),
     "tensor t: float32, quantised", CAM_E_WEIGHTS},
};
enum { MANIFESTS = sizeof manifests / sizeof *manifests };

START_TEST(tensorflow_js) {
  char folder[64];
  begin_folder(folder);
  n_file = 0;
  add(manifests[_i].json, strlen(manifests[_i].json));
  const cam_code code = read_again();
  ck_assert_msg(code == manifests[_i].code && strstr(error.detail, manifests[_i].detail),
                "'%s' is not in '%s'", manifests[_i].detail, error.detail);
  ck_assert_int_eq(!code, all != NULL);
  if (!code) {
    double values[3];
    number_read(&weights_find(all, "t")->view, values);
    ck_assert_double_eq(values[number_count(&all->list[0].view) - 1], 3);
  }
  end_folder(folder);
}
END_TEST

START_TEST(files_that_are_none) {
  n_file = 0;
  bad("neither a NumPy .npy nor a pickled dict of arrays nor a PyTorch "
      "state dict nor a TensorFlow.js model.json");
  ADD("GIF89a");
  bad("neither");
  ck_assert_int_eq(weights_read("/nowhere/at.all", &all, &error), CAM_E_IO);
  ck_assert_ptr_null(all);
  ck_assert_int_eq(weights_read("/tmp", &all, &error), CAM_E_IO);
  ck_assert_ptr_null(all);
}
END_TEST

Suite *weights_suite(void);
Suite *weights_suite(void) {
  Suite *suite = suite_create("weights");
  TCase *tcase = tcase_create("weights");
  tcase_set_tags(tcase, "alone");
  tcase_add_checked_fixture(tcase, begin, end);
  tcase_add_test(tcase, ten_kinds_of_numbers);
  tcase_add_test(tcase, strides_and_bounds);
  tcase_add_test(tcase, numpy_files);
  tcase_add_test(tcase, broken_numpy_files);
  tcase_add_test(tcase, legacy_files);
  tcase_add_test(tcase, broken_legacy_files);
  tcase_add_test(tcase, broken_zip_files);
  tcase_add_loop_test(tcase, changed_at_every_byte, 0, 4);
  tcase_add_loop_test(tcase, tensorflow_js, 0, MANIFESTS);
  tcase_add_test(tcase, files_that_are_none);
  suite_add_tcase(suite, tcase);
  return suite;
}
