/* test_convert.c - a tiny network in every form of weights through cam_convert: the file that comes
 * of it against tensors and logits that NumPy computed from the unfolded network
 * (tests/reference/convert_weights.py), and what is wrong with architectures and weights, by name.
 */
#include "cam_convert.h"
#include "cam_json.h"
#include "convert/document.h"
#include "convert/join.h"
#include "convert/labels.h"
#include "network/graph.h"
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIXTURES "tests/fixtures/convert/"
static char folder[64], output[128], progress[4096];
static cam_error error;

static void in_folder(char *path, size_t n, const char *name) {
  snprintf(path, n, "%s/%s", folder, name);
}

static void begin(void) {
  strcpy(folder, "/tmp/camserve-convert-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(folder));
  in_folder(output, sizeof output, "tiny.safetensors");
}
static void end(void) {
  static const char *const left[] = {"tiny.safetensors", "models/arch.json", "labels/three.tsv",
                                     "models", "labels"};
  char path[128];
  for (size_t i = 0; i < sizeof left / sizeof *left; i++)
    in_folder(path, sizeof path, left[i]), remove(path);
  ck_assert_int_eq(rmdir(folder), 0); /* nothing else was left behind */
}

static void note(void *closure, const char *line) {
  ck_assert_ptr_eq(closure, progress);
  ck_assert_ptr_null(strchr(line, '\n'));
  strncat(progress, line, sizeof progress - strlen(progress) - 2);
  strcat(progress, "\n");
}

static cam_code convert(const char *from, const char *architecture) {
  cam_convert_options options = {.weights = from,
                                 .architecture = architecture,
                                 .output = output,
                                 .threads = 2,
                                 .progress = note,
                                 .closure = progress};
  error = (cam_error){0};
  *progress = 0;
  return cam_convert(&options, &error);
}

static void ck_near(double got, double expected, double scale, const char *what) {
  ck_assert_msg(fabs(got - expected) <= 2e-7 * scale, "%s: %.9g, expected %.9g", what, got,
                expected);
}

/* ---- every form ---- */

static const char *const forms[] = {"python2.npy",
                                    "python2-one.npy",
                                    "python3-protocol2.npy",
                                    "python3-protocol3.npy",
                                    "python3-protocol4.npy",
                                    "python3-protocol5.npy",
                                    "numpy2.npy",
                                    "legacy.pth",
                                    "legacy-nested.pth",
                                    "stored.pth",
                                    "deflated.pth",
                                    "big-endian.pth",
                                    "model.json"};
enum { FORMS = sizeof forms / sizeof *forms };

START_TEST(every_form_gives_the_same_model) {
  char path[128];
  bool numpy = strstr(forms[_i], ".pth") == NULL; /* names and layouts of NumPy and TensorFlow */
  snprintf(path, sizeof path, FIXTURES "%s", forms[_i]);
  ck_assert_msg(!convert(path, numpy ? FIXTURES "numpy.json" : FIXTURES "torch.json"), "%s",
                error.detail);

  cam_graph *graph;
  safetensors *expected;
  ck_assert_int_eq(graph_load(output, &graph, &error), CAM_OK);
  ck_assert_int_eq(safetensors_read(FIXTURES "expected.safetensors", &expected, &error), CAM_OK);
  ck_assert_int_eq(safetensors_count(graph->file), safetensors_count(expected));
  for (int i = 0; i < safetensors_count(expected); i++) {
    const cam_tensor *want = safetensors_at(expected, i),
                     *got = safetensors_find(graph->file, want->name);
    ck_assert_msg(got != NULL, "%s", want->name);
    ck_assert_int_eq(got->rank, want->rank);
    ck_assert_mem_eq(got->shape, want->shape, (size_t)want->rank * sizeof *want->shape);
    for (size_t k = 0; k < want->count; k++)
      ck_near(got->data[k], want->data[k], fmax(1, fabs(want->data[k])), want->name);
  }

  double logits[3],
      largest = 0; /* of the unfolded network, in float64; the file's weights are rounded once */
  FILE *lines = fopen(FIXTURES "expected.logits", "r");
  for (int c = 0; c < 3; c++) {
    ck_assert_int_eq(fscanf(lines, "%lf", &logits[c]), 1);
    largest = fmax(largest, fabs(logits[c]));
  }
  fclose(lines);
  ck_assert_int_eq(graph->n_self_test, 3);
  for (int i = 0; i < 3; i++) {
    ck_near(graph->self_test[i].logit, logits[graph->self_test[i].class_id], 10 * largest, "logit");
    if (i)
      ck_assert_double_lt(graph->self_test[i].logit, graph->self_test[i - 1].logit);
  }

  ck_assert_str_eq(graph->name, "tiny");
  ck_assert_str_eq(graph->origin, "made by tests/reference/convert_weights.py");
  ck_assert_str_eq(graph->license, "MIT");
  ck_assert_int_eq(graph->n_nodes, 11); /* three batch norms are gone */
  ck_assert(graph->bgr && graph->resize == CAM_ASPECT && graph->rule == MAP_TF1 &&
            graph->multiple == 4 && graph->max_side == 32);
  ck_assert_float_eq(graph->mean[0], 103.939f);
  ck_assert_float_eq(graph->scale[2], .03f);
  ck_assert_str_eq(graph->classes[1].label, "two, \"2\"");
  ck_assert_str_eq(graph->nodes[3].name,
                   "sum"); /* its inputs were a batch norm of a batch norm, and a relu6 */
  ck_assert_str_eq(graph->nodes[graph->nodes[3].inputs[0]].name, "deep");
  ck_assert_int_eq(graph->nodes[2].groups, 4);
  ck_assert_ptr_nonnull(strstr(progress, "folding 3 batch norms"));
  ck_assert_ptr_nonnull(strstr(progress, "wrote "));
  ck_assert_ptr_null(strstr(progress, "not used"));
  safetensors_free(expected);
  graph_free(graph);
}
END_TEST

/* ---- architectures that do not fit ---- */

/* torch.json with the first `from` replaced, at models/arch.json in the folder. */
static const char *edited(const char *from, const char *to) {
  static char path[128];
  size_t n;
  char *text = document_read_text(FIXTURES "torch.json", 1 << 16, &n, &error),
       *at = strstr(text, from);
  ck_assert_msg(at != NULL, "%s", from);
  in_folder(path, sizeof path, "models");
  mkdir(path, 0777);
  in_folder(path, sizeof path, "models/arch.json");
  FILE *out = fopen(path, "w");
  fprintf(out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
  ck_assert_int_eq(fclose(out), 0);
  free(text);
  return path;
}

static const struct {
  const char *from, *to;
  cam_code code;
  const char *detail;
} misfits[] = {
    {"\"stem.weight\"", "\"stam.weight\"", CAM_E_WEIGHTS,
     "tensor stam.weight of node stem is not in the file"},
    {"\"weight\": \"stem.weight\"", "\"wight\": \"stem.weight\"", CAM_E_MODEL,
     "node stem: member \"weight\" is missing"},
    {"\"stem.weight\"", "\"fc.weight\"", CAM_E_WEIGHTS,
     "tensor fc.weight of node stem has shape [3, 6]; expected is of rank 4"},
    {"\"stem.weight\"", "\"deep.weight\"", CAM_E_WEIGHTS,
     "tensor deep.weight of node stem has shape [4, 1, 3, 3]; expected is one for 3 channels in 1 "
     "groups"},
    {"\"groups\": 4", "\"groups\": 3", CAM_E_MODEL, "node deep: 4 channels in 3 groups"},
    {"\"groups\": 4", "\"groups\": 2", CAM_E_WEIGHTS, "expected is one for 4 channels in 2 groups"},
    {"\"groups\": 4", "\"groups\": 0", CAM_E_MODEL, "node deep: member \"groups\" is 0"},
    {"\"deep.bias\"", "\"halves.bias\"", CAM_E_WEIGHTS,
     "tensor halves.bias of node deep has shape [6]; expected is [4]"},
    {"\"fc.weight\"", "\"stem.weight\"", CAM_E_WEIGHTS,
     "tensor stem.weight of node fc has shape [4, 3, 3, 3]; expected is of rank 2"},
    {"\"deep_norm.running_var\"", "\"halves.bias\"", CAM_E_WEIGHTS,
     "tensor halves.bias of node deep_norm has shape [6]; expected is [4]"},
    {"\"stem_norm.running_var\"", "\"stem_norm.running_mean\"", CAM_E_WEIGHTS,
     "node stem_norm: variance"},
    {"\"epsilon\": 0.001", "\"epsilon\": 2", CAM_E_MODEL,
     "node stem_norm: member \"epsilon\" is 2; allowed are 0 to 1"},
    {"\"inputs\": [\"deep\"]", "\"inputs\": [\"stem_relu\"]", CAM_E_MODEL,
     "node deep_norm: a batch_norm is folded, so it must follow a conv"},
    {"\"inputs\": [\"deep\"]", "\"inputs\": [\"input\"]", CAM_E_MODEL,
     "node deep_norm: a batch_norm is folded, so it must follow a conv"},
    {"\"inputs\": [\"deep_norm2\", \"stem_relu\"]", "\"inputs\": [\"deep_norm2\", \"deep_norm\"]",
     CAM_E_MODEL, "node deep_norm2: others use the output of deep_norm, too"},
    {"\"inputs\": [\"deep_norm2\", \"stem_relu\"]", "\"inputs\": [\"deep_norm2\", \"input\"]",
     CAM_E_MODEL, "node sum: add takes two inputs of as many channels"},
    {"\"inputs\": [\"gap\"]", "\"inputs\": [\"gop\"]", CAM_E_MODEL,
     "node fc: input \"gop\" is not an earlier node"},
    {"\"inputs\": [\"gap\"]", "\"inputs\": [\"fc\"]", CAM_E_MODEL,
     "node fc: input \"fc\" is not an earlier node"},
    {"\"inputs\": [\"gap\"]", "\"inputs\": []", CAM_E_MODEL,
     "node fc: member \"inputs\" must be an array of 1 to 64 names"},
    {"\"name\": \"gap\"", "\"name\": \"last\"", CAM_E_MODEL, "node last: its name is taken"},
    {"\"name\": \"gap\", ", "", CAM_E_MODEL, "node 13: member \"name\" is missing"},
    {"\"op\": \"relu6\"", "\"op\": \"swish\"", CAM_E_MODEL,
     "node stem_relu: operator \"swish\" is not known"},
    {"\"conv\": \"OIHW\"", "\"conv\": \"OIHH\"", CAM_E_MODEL,
     "source: layout \"OIHH\" of \"conv\" is no order of the letters HWIO"},
    {"\"conv\": \"OIHW\"", "\"conv\": \"OIH\"", CAM_E_MODEL, "source: layout \"OIH\""},
    {"\"conv\": \"OIHW\", ", "", CAM_E_MODEL, "source: member \"conv\" is missing"},
    {", [\"n00000003\", \"three\"]", "", CAM_E_MODEL,
     "node fc gives 3 classes, \"classes\" names 2"},
    {"\"classes\"", "\"klasses\"", CAM_E_MODEL, "architecture: member \"classes\" is missing"},
    {"\"nodes\"", "\"nods\"", CAM_E_MODEL, "member \"nodes\" must be an array"},
    {"\"version\": 1", "\"version\": 4", CAM_E_MODEL,
     "version 4 is newer than this program reads (3)"},
    {"\"version\": 1", "\"version\": 0", CAM_E_MODEL, "network: member \"version\" is 0"},
    /* from here on the check of a written model file speaks */
    {"\"resize\": \"tf1\"", "\"resize\": \"tf2\"", CAM_E_MODEL,
     "map: member \"resize\" is \"tf2\", which is unknown"},
    {"\"kernel\": [2, 2]", "\"kernel\": [2]", CAM_E_MODEL,
     "node \"small\": member \"kernel\" must be an array of 2 numbers"},
    {"\"padding\": \"valid\"", "\"padding\": \"vallid\"", CAM_E_MODEL,
     "node \"small\": member \"padding\""},
    {"\"kernel\": [2, 2]", "\"dilation\": 2, \"kernel\": [2, 2]", CAM_E_MODEL,
     "node \"small\": \"max_pool\" has no member \"dilation\""},
    {"\"version\": 1,", "\"version\": 1,,", CAM_E_MODEL, "JSON: not valid"},
};

START_TEST(misfits_are_named) {
  ck_assert_int_eq(convert(FIXTURES "stored.pth", edited(misfits[_i].from, misfits[_i].to)),
                   misfits[_i].code);
  ck_assert_msg(strstr(error.detail, misfits[_i].detail) != NULL, "'%s' is not in '%s'",
                misfits[_i].detail, error.detail);
  ck_assert_int_ne(access(output, F_OK), 0);
}
END_TEST

START_TEST(a_failure_leaves_the_old_model_alone) {
  struct stat before, after;
  ck_assert_int_eq(convert(FIXTURES "stored.pth", FIXTURES "torch.json"), CAM_OK);
  ck_assert_int_eq(stat(output, &before), 0);
  ck_assert_int_eq(
      convert(FIXTURES "stored.pth", edited("\"resize\": \"tf1\"", "\"resize\": \"tf2\"")),
      CAM_E_MODEL); /* fails after the first writing */
  ck_assert_int_eq(stat(output, &after), 0);
  ck_assert(before.st_ino == after.st_ino && before.st_size == after.st_size);
  ck_assert_int_eq(convert(FIXTURES "legacy.pth", FIXTURES "torch.json"), CAM_OK);
}
END_TEST

START_TEST(files_that_are_not_there) {
  ck_assert_int_eq(convert("/nowhere/weights.npy", FIXTURES "torch.json"), CAM_E_IO);
  ck_assert_int_eq(convert(FIXTURES "stored.pth", "/nowhere/arch.json"), CAM_E_IO);
  ck_assert_int_eq(convert(FIXTURES "torch.json", FIXTURES "torch.json"), CAM_E_WEIGHTS);
  ck_assert_int_eq(convert(FIXTURES "stored.pth", FIXTURES "stored.pth"), CAM_E_MODEL);
  strcpy(output, "/nowhere/tiny.safetensors");
  ck_assert_int_eq(convert(FIXTURES "stored.pth", FIXTURES "torch.json"), CAM_E_IO);
  ck_assert_ptr_nonnull(strstr(error.detail, "/nowhere/tiny.safetensors"));
  in_folder(output, sizeof output, "tiny.safetensors");
  cam_convert_options silent = {
      .weights = FIXTURES "stored.pth", .architecture = FIXTURES "torch.json", .output = output};
  ck_assert_int_eq(cam_convert(&silent, NULL), CAM_OK);
  silent.weights = "/nowhere/weights.npy";
  ck_assert_int_eq(cam_convert(&silent, NULL), CAM_E_IO); /* without an error to fill, too */
  silent.threads = -1;
  ck_assert_int_eq(cam_convert(&silent, &error), CAM_E_PARAMETER);
}
END_TEST

START_TEST(unused_tensors_are_reported) {
  ck_assert_int_eq(convert(FIXTURES "stored.pth",
                           edited("\"*.num_batches_tracked\"", "\"stem*.num_batches_tracked\"")),
                   CAM_OK);
  ck_assert_ptr_nonnull(strstr(progress, "not used: tensor deep_norm.num_batches_tracked []\nnot "
                                         "used: tensor deep_norm2.num_batches_tracked []\n"));
  ck_assert_ptr_null(strstr(progress, "stem_norm.num_batches_tracked"));
}
END_TEST

/* ---- labels ---- */

static void write_labels(const char *text) {
  char path[128];
  in_folder(path, sizeof path, "labels");
  mkdir(path, 0777);
  in_folder(path, sizeof path, "labels/three.tsv");
  FILE *out = fopen(path, "w");
  fputs(text, out);
  ck_assert_int_eq(fclose(out), 0);
}

/* An architecture may have any operator whose output has the channels of its input. */
START_TEST(activations_by_name) {
  static const char *const ops[] = {"sigmoid\"",
                                    "silu\"",
                                    "hard_swish\"",
                                    "gelu\"",
                                    "clip\", \"least\": 0.25",
                                    "hard_sigmoid\", \"slope\": 0.2, \"offset\": 0.5"};
  for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
    char to[96];
    cam_graph *graph;
    int n = 0;
    snprintf(to, sizeof to, "\"op\": \"%s", ops[i]);
    ck_assert_msg(!convert(FIXTURES "stored.pth", edited("\"op\": \"relu\"", to)), "%s: %s", to,
                  error.detail);
    ck_assert_int_eq(graph_load(output, &graph, &error), CAM_OK);
    for (int k = 0; k < graph->n_nodes; k++)
      n += !strncmp(op_name(graph->nodes[k].op), ops[i], strcspn(ops[i], "\""));
    ck_assert_int_eq(n, 1);
    graph_free(graph);
  }
}
END_TEST

START_TEST(labels_by_name) {
  static const char inner[] = "\"classes\": [[\"n00000001\", \"one\"], [\"n00000002\", \"two, "
                              "\\\"2\\\"\"], [\"n00000003\", \"three\"]]";
  cam_graph *graph;
  write_labels("# for people\nn1\tone, 1\r\n\nn2\ttwo\tor 2\nn3\tthree");
  ck_assert_int_eq(convert(FIXTURES "stored.pth", edited(inner, "\"classes\": \"three\"")), CAM_OK);
  ck_assert_int_eq(graph_load(output, &graph, &error), CAM_OK);
  ck_assert_str_eq(graph->classes[0].label, "one, 1");
  ck_assert_str_eq(graph->classes[2].wnid, "n3");
  graph_free(graph);
  ck_assert_int_eq(convert(FIXTURES "stored.pth", edited("\"n00000002\"", "null")), CAM_OK);
  ck_assert_int_eq(graph_load(output, &graph, &error), CAM_OK);
  ck_assert_str_eq(graph->classes[1].wnid, "");
  ck_assert_str_eq(graph->classes[2].wnid, "n00000003");
  graph_free(graph);
  write_labels("n1\tone\nn2 two\n");
  ck_assert_int_eq(convert(FIXTURES "stored.pth", edited(inner, "\"classes\": \"three\"")),
                   CAM_E_MODEL);
  ck_assert_ptr_nonnull(strstr(error.detail, "line 2 is not: WordNet id TAB label"));
  ck_assert_int_eq(convert(FIXTURES "stored.pth", edited(inner, "\"classes\": \"four\"")),
                   CAM_E_IO);
  ck_assert_int_eq(
      convert(FIXTURES "stored.pth", edited(inner, "\"classes\": \"../labels/three\"")),
      CAM_E_MODEL);
  ck_assert_ptr_nonnull(strstr(error.detail, "not the name of a list of labels"));
}
END_TEST

/* The architectures that are shipped: readable, with the thousand classes of ImageNet, each once.
 */
START_TEST(shipped_architectures) {
  static const struct {
    const char *path;
    int convs, norms;
  } shipped[] = {{"config/models/efficientnet-lite0.json", 49, 49},
                 {"config/models/vgg16-cam.json", 14, 0}};
  for (size_t i = 0; i < 2; i++) {
    size_t n;
    char *text = document_read_text(shipped[i].path, 1 << 20, &n, &error);
    json *architecture = json_parse(text, n, CAM_E_MODEL, &error), *document = json_new_object();
    ck_assert_msg(architecture != NULL, "%s", error.detail);
    int convs = 0, norms = 0;
    for (const json *node = json_first(json_member(architecture, "nodes")); node;
         node = json_next(node)) {
      convs += !strcmp(json_text(json_member(node, "op")), "conv");
      norms += !strcmp(json_text(json_member(node, "op")), "batch_norm");
    }
    ck_assert_int_eq(convs, shipped[i].convs);
    ck_assert_int_eq(norms, shipped[i].norms);
    ck_assert_int_eq(labels_add(architecture, "config/labels", document, &error), CAM_OK);
    const json *classes = json_member(document, "classes");
    ck_assert_int_eq(json_count(classes), 1000);
    int at = 0;
    for (const json *each = json_first(classes); each; each = json_next(each), at++) {
      const char *wnid = json_text(json_first(each));
      ck_assert_msg(*wnid == 'n' && strlen(wnid) == 9, "%s", wnid);
      int same = 0; /* half a million pairs: each ck_assert writes to a file */
      for (const json *other = json_first(classes); other != each; other = json_next(other))
        same += !strcmp(wnid, json_text(json_first(other)));
      ck_assert_int_eq(same, 0);
      if (at == 285)
        ck_assert_str_eq(json_text(json_next(json_first(each))), "Egyptian cat");
    }
    json_free(document);
    json_free(architecture);
    free(text);
  }
}
END_TEST

Suite *convert_suite(void);
Suite *convert_suite(void) {
  Suite *suite = suite_create("convert");
  TCase *tcase = tcase_create("convert");
  tcase_add_checked_fixture(tcase, begin, end);
  tcase_add_loop_test(tcase, every_form_gives_the_same_model, 0, FORMS);
  tcase_add_loop_test(tcase, misfits_are_named, 0, (int)(sizeof misfits / sizeof *misfits));
  tcase_add_test(tcase, a_failure_leaves_the_old_model_alone);
  tcase_add_test(tcase, files_that_are_not_there);
  tcase_add_test(tcase, unused_tensors_are_reported);
  tcase_add_test(tcase, activations_by_name);
  tcase_add_test(tcase, labels_by_name);
  tcase_add_test(tcase, shipped_architectures);
  suite_add_tcase(suite, tcase);
  return suite;
}
