/* target_json.c - a body of application/json: the request made of it, and JSON itself: what is
 * read, printed and read again must be the same; and the input as base64. */
#include "cam_encoding.h"
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

/* text without white space and padding, base64url as base64. Returns its length. */
static size_t strip(const char *text, size_t n, char *out) {
  size_t used = 0;
  for (size_t i = 0; i < n; i++) {
    if (strchr(" \t\r\n\v\f=", text[i]))
      continue;
    out[used] = text[i];
    if (text[i] == '-')
      out[used] = '+';
    if (text[i] == '_')
      out[used] = '/';
    used++;
  }
  return used;
}

/* Text that is taken for base64 is what its bytes are written as, but for spelling. */
static void read_base64(const char *text, size_t n) {
  size_t n_bytes = 0;
  uint8_t *bytes = malloc(n / 4 * 3 + 3);
  PROMISE(bytes);
  if (cam_base64_decode(text, n, bytes, &n_bytes)) {
    const size_t length = cam_base64_length(n_bytes);
    char *again = malloc(length + 1), *plain = malloc(n + 1);
    PROMISE(again && plain && n_bytes <= n / 4 * 3 + 3);
    cam_base64_encode(bytes, n_bytes, again);
    const size_t n_plain = strip(text, n, plain);
    PROMISE(n_plain == strip(again, length, again) && !memcmp(plain, again, n_plain));
    free(again);
    free(plain);
  }
  free(bytes);
}

static void run(const uint8_t *bytes, size_t n) {
  request_params params;
  request_photos photos;
  cam_error error = {0};
  params_init(&params);
  cam_code code = request_read("application/json; charset=utf-8", bytes, n, &params, &photos,
                               &error);
  PROMISE(code == error.code && (code || (photos.n == 1 && photos.photos[0].n)));
  request_photos_free(&photos);

  read_base64((const char *)bytes, n);
  json *tree = json_parse((const char *)bytes, n, CAM_E_BODY, &error);
  if (tree)
    print_and_read(tree);
  json_free(tree);
}

const fuzz_target fuzz_json = {run, fuzz_mutate_json};
