/* target_json.c - a body of application/json: the request made of it, and JSON itself: what is
 * read, printed and read again must be the same. */
#include "cam_json.h"
#include "fuzz.h"
#include "wire/request.h"
#include <stdlib.h>
#include <string.h>

static void print_and_read(const json *tree) {
  size_t n = 0, n_again = 0;
  char *text = json_print(tree, true, &n);
  PROMISE(text && strlen(text) == n);
  cam_error error = {0};
  json *tree_again = json_parse(text, n, CAM_E_BODY, &error);
  PROMISE(tree_again);
  char *again = json_print(tree_again, true, &n_again);
  PROMISE(again && n == n_again && !memcmp(text, again, n));
  free(text);
  free(again);
  json_free(tree_again);
}

static void run(const uint8_t *bytes, size_t n) {
  request_params params;
  request_photos photos;
  cam_error error = {0};
  params_init(&params);
  cam_code code = request_read("application/json; charset=utf-8", bytes, n, fuzz_model(), &params,
                               &photos, &error);
  PROMISE(code == error.code && (code || (photos.n == 1 && photos.photos[0].n)));
  request_photos_free(&photos);

  json *tree = json_parse((const char *)bytes, n, CAM_E_BODY, &error);
  if (tree)
    print_and_read(tree);
  json_free(tree);
}

const fuzz_target fuzz_json = {run, fuzz_mutate_json};
