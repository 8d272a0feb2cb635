/* test_request.c - bodies: the three forms, every way a multipart body or a JSON body can be wrong,
 * and what Accept chooses. */
#include "wire/accept.h"
#include "wire/multipart.h"
#include "wire/request.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static request_params params;
static request_photos photos;
static cam_error error;

static cam_code read_bytes(const char *type, const void *body, size_t n) {
  params_init(&params);
  error = (cam_error){0};
  /* a copy of its own, so that AddressSanitizer sees a read past the end */
  static uint8_t *copy;
  free(copy);
  copy = malloc(n ? n : 1);
  memcpy(copy, body, n);
  return request_read(type, copy, n, &params, &photos, &error);
}
static cam_code read_text(const char *type, const char *body) {
  return read_bytes(type, body, strlen(body));
}

#define PART(header, value) "--B\r\n" header "\r\n\r\n" value "\r\n"
#define IMAGE(value) \
  PART("Content-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\nContent-Type: " \
       "image/png", \
       value)
#define FIELD(name, value) PART("Content-Disposition: form-data; name=\"" name "\"", value)
static const char form[] = "multipart/form-data; boundary=B";

START_TEST(any_other_type_is_the_photo) {
  const char *types[] = {NULL,
                         "",
                         "image/jpeg",
                         "application/x-www-form-urlencoded",
                         "text/plain; boundary=B",
                         "multipart/form-data-not",
                         "application/jsonl"};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    ck_assert_int_eq(read_text(types[i], "top_k\x81=1&"), CAM_OK);
    ck_assert_int_eq(photos.n, 1);
    ck_assert_uint_eq(photos.photos[0].n, 9);
    ck_assert_mem_eq(photos.photos[0].bytes, "top_k\x81=1&", 9);
    request_photos_free(&photos);
  }
  ck_assert_int_eq(read_text(NULL, ""), CAM_E_BODY);
  ck_assert_int_eq(read_text(form, ""), CAM_E_BODY);
}
END_TEST

/* As curl -d, fetch() with a string and forms without enctype send them: not one is a photo, and
 * each is told what to send. */
START_TEST(other_bodies_are_told_what_to_send) {
  static const struct {
    const char *type, *body, *says;
  } cases[] = {
      {"application/x-www-form-urlencoded", "{\"image\": \"aGVsbG8=\"}", "JSON; application/json"},
      {NULL, " \r\n\t{}", "Content-Type: \"\", but the body is JSON"},
      {"text/plain; charset=utf-8", "\xef\xbb\xbf {}", "Content-Type: \"text/plain\", but"},
      {"image/png", "[]", "JSON"},
      {"application/x-www-form-urlencoded", "image=%89PNG&top_k=1", "multipart/form-data"},
      {"application/x-www-form-urlencoded", "=", "multipart/form-data"},
      {"application/octet-stream", IMAGE("x") "--B--", "a multipart form; multipart/form-data"},
      {"text/plain", "DATA:image/png;base64,iVBORw0KGgo=", "a data: URI; application/json"},
      {"text/plain", "iVBORw0KGgoAAAANSUhEUg==", "base64; application/json"},
      {NULL, "/9j/4AAQSkZJRg==", "base64; application/json"},
      {"application/x-www-form-urlencoded", "\xff\xd8\xff\xe0\x10JFIF", "curl --data-binary"},
      {"application/x-www-form-urlencoded", "\x89PNG\x1a",
       "curl --data-binary @photo.jpg is wanted"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ck_assert_msg(read_text(cases[i].type, cases[i].body) == CAM_E_FORMAT, "%s", cases[i].body);
    ck_assert_msg(strstr(error.detail, cases[i].says) != NULL, "%s", error.detail);
    ck_assert_int_eq(photos.n, 0);
  }
}
END_TEST

/* What merely begins like one of them goes to the decoder, which has the last word. */
START_TEST(short_bodies_are_photos) {
  static const char *const bodies[] = {" ", "-", "--", "dat", "/9j", "\xef\xbb\xbf", "x{}", "BM=="};
  for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
    ck_assert_msg(read_text("text/plain", bodies[i]) == CAM_OK, "%s", bodies[i]);
  ck_assert_int_eq(read_bytes("application/x-www-form-urlencoded", "BM=\0\0\0", 6), CAM_OK);
  ck_assert_int_eq(read_bytes("application/x-www-form-urlencoded", "\xff\xd8\xff\xe0\0", 5),
                   CAM_OK);
  ck_assert_int_eq(read_text("image/jpeg", "\xff\xd8\xff\xe0"), CAM_OK);
}
END_TEST

START_TEST(multipart_photos_and_parameters) {
  ck_assert_int_eq(read_text(form, "preamble\r\n" FIELD("top_k", "7") IMAGE("\r\n--A\r\n-") IMAGE(
                                       "second") FIELD("colormap", "gray") "--B--\r\nepilogue"),
                   CAM_OK);
  ck_assert_int_eq(photos.n, 2);
  ck_assert_uint_eq(photos.photos[0].n, 8);
  ck_assert_mem_eq(photos.photos[0].bytes, "\r\n--A\r\n-", 8);
  ck_assert_mem_eq(photos.photos[1].bytes, "second", 6);
  ck_assert_int_eq(params.cam.top_k, 7);
  ck_assert_int_eq(params.cam.colormap, CAM_GRAY);
}
END_TEST

START_TEST(multipart_boundaries) {
  const char *good[] = {"multipart/form-data; boundary=B", "multipart/form-data; boundary=\"B\"",
                        "Multipart/Form-Data;Boundary=B",
                        "multipart/form-data; boundary=B; charset=x",
                        "multipart/form-data; charset=\"; boundary=C\"; boundary=B "};
  const char *bad[] = {
      "multipart/form-data",
      "multipart/form-data; boundary",
      "multipart/form-data; boundary=",
      "multipart/form-data; boundary=\"\"",
      "multipart/form-data; boundary=\"B",
      "multipart/form-data; boundary=C",
      "multipart/form-data; "
      "boundary=0123456789012345678901234567890123456789012345678901234567890123456789x"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    ck_assert_msg(!read_text(good[i], IMAGE("x") "--B--"), "%s: %s", good[i], error.detail);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    ck_assert_msg(read_text(bad[i], IMAGE("x") "--B--") == CAM_E_BODY, "%s", bad[i]);
}
END_TEST

START_TEST(multipart_wrong) {
  static const struct {
    const char *body, *says;
    cam_code code;
  } cases[] = {
      {"--B--\r\n", "image: 0 parts; allowed are 1 to 8", CAM_E_BODY},
      {FIELD("top_k", "3") "--B--", "image: 0 parts", CAM_E_BODY},
      {IMAGE("") "--B--", "image: part 1 is empty", CAM_E_BODY},
      {"--B\r\nContent-Disposition: form-data; name=\"image\"\r\n\r\n--B--",
       "image: part 1 is empty", CAM_E_BODY},
      {IMAGE("x") IMAGE("") "--B--", "image: part 2 is empty", CAM_E_BODY},
      {FIELD("images", "x") "--B--", "images: there is no such field", CAM_E_PARAMETER},
      {IMAGE("x") FIELD("top_k", "11") "--B--", "top_k", CAM_E_PARAMETER},
      {IMAGE("x") FIELD("top_k", "1") FIELD("top_k", "1") "--B--", "top_k: given twice",
       CAM_E_PARAMETER},
      {IMAGE("x") "--B", "the boundary before part 2, which lacks the two hyphens of the final",
       CAM_E_BODY},
      {IMAGE("x") "--B-", "hyphens of the final boundary", CAM_E_BODY},
      {IMAGE("x") "--B\r\n", "headers of part 2, before the final boundary", CAM_E_BODY},
      {IMAGE("x"), "within part 1 (\"image\"), before the final boundary", CAM_E_BODY},
      {"--B", "hyphens of the final boundary", CAM_E_BODY},
      {"--B\r\nContent-Disposition: form-data; name=\"image\"\r\n\r\nx", "ends within part 1",
       CAM_E_BODY},
      {"--B\r\nContent-Disposition: form-data; name=\"image\"", "headers of part 1", CAM_E_BODY},
      {PART("Content-Disposition: form-data", "x") "--B--", "part 1 has no name", CAM_E_BODY},
      {PART("Content-Type: image/png", "x") "--B--", "part 1 has no name", CAM_E_BODY},
      {"--B\r\n\r\nx\r\n--B--", "part 1 has no name", CAM_E_BODY},
      {PART("Content-Disposition: form-data; name=\"\"", "x") "--B--", "name of part 1",
       CAM_E_BODY},
      {PART("Content-Disposition: form-data; name=\"image", "x") "--B--", "name of part 1",
       CAM_E_BODY},
      {PART("Content-Disposition: form-data; name=\"image\"\r\nContent-Disposition: form-data; "
            "name=\"image\"",
            "x") "--B--",
       "two names", CAM_E_BODY},
      {PART("Content-Disposition: form-data; name=\"image\"\r\nContent-Transfer-Encoding: base64",
            "eA==") "--B--",
       "Content-Transfer-Encoding", CAM_E_BODY},
      {"no boundary at all", "does not occur", CAM_E_BODY},
      {"--Bx\r\n", "no line break", CAM_E_BODY},
      {"-", "does not occur", CAM_E_BODY},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ck_assert_msg(read_text(form, cases[i].body) == cases[i].code, "case %zu: %s", i, error.detail);
    ck_assert_msg(strstr(error.detail, cases[i].says) != NULL, "case %zu: %s", i, error.detail);
  }
}
END_TEST

#define UNCHOSEN(filename) \
  PART("Content-Disposition: form-data; name=\"image\"; " filename \
       "\r\nContent-Type: application/octet-stream", \
       "")
START_TEST(multipart_parts_of_the_browser) {
  static const struct {
    const char *body, *says; /* NULL: it is one photo, "x" */
  } cases[] = {
      {IMAGE("x") UNCHOSEN("filename=\"\"") "--B--", NULL},
      {UNCHOSEN("filename=\"\"") IMAGE("x") UNCHOSEN("filename=") "--B--", NULL},
      {UNCHOSEN("filename=; x=y") IMAGE("x") "--B--", NULL},
      {FIELD("_charset_", "UTF-8") IMAGE("x") FIELD("submit", "Send it") "--B--", NULL},
      {FIELD("button", "") FIELD("upload", "1") FIELD("upload", "2") IMAGE("x") "--B--", NULL},
      {PART("Content-Disposition: form-data; name=second; filename=\"\"", "") IMAGE("x") "--B--",
       NULL},
      {PART("Content-Disposition: form-data; filename=\"\"; name=\"image\"", "x") "--B--", NULL},
      {UNCHOSEN("filename=\"\"") "--B--", "image: 0 parts"},
      {UNCHOSEN("filename=\"a\"") IMAGE("x") "--B--", "image: part 1 is empty"},
      {UNCHOSEN("filename=\"") IMAGE("x") "--B--", "image: part 1 is empty"},
      {IMAGE("x") PART("Content-Disposition: form-data; name=hat; filename=\"\"", "y") "--B--",
       "hat: there is no such field"},
      {IMAGE("x") FIELD("_charset", "UTF-8") "--B--", "_charset: there is no such field"},
      {IMAGE("x") FIELD("Submit", "") "--B--", "Submit: there is no such field"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    cam_code code = read_text(form, cases[i].body);
    if (cases[i].says) {
      ck_assert_msg(strstr(error.detail, cases[i].says) != NULL, "case %zu: %s", i, error.detail);
      continue;
    }
    ck_assert_msg(code == CAM_OK, "case %zu: %s", i, error.detail);
    ck_assert_int_eq(photos.n, 1);
    ck_assert_uint_eq(photos.photos[0].n, 1);
  }
}
END_TEST

START_TEST(multipart_names) {
  static const char *good[] = {"form-data; name=image", "form-data;name=\"image\"",
                               "form-data; filename=\"name=x\"; name=\"image\"",
                               "form-data; NAME=image; filename=x",
                               "form-data; filename=\"a\\\"; name=\\\"top_k\"; name=\"im\\\"age\""};
  char body[512];
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    snprintf(body, sizeof body, "--B\r\ncontent-disposition:%s\r\n\r\n\xff\r\n--B--", good[i]);
    ck_assert_msg((read_text(form, body) == CAM_OK) == (i < 4), "%s: %s", good[i], error.detail);
  }
}
END_TEST

/* One part more than allowed, and two thousand: counted, said, nothing kept. */
START_TEST(multipart_too_many) {
  static const char part[] = IMAGE("x");
  for (int n = 8; n <= 2000; n = n == 8 ? 9 : n == 9 ? 2000 : n + 1) {
    char *body = malloc((sizeof part - 1) * (size_t)n + 6), says[64];
    for (int i = 0; i < n; i++)
      memcpy(body + (size_t)i * (sizeof part - 1), part, sizeof part - 1);
    memcpy(body + (sizeof part - 1) * (size_t)n, "--B--", 6);
    snprintf(says, sizeof says, "image: %d parts; allowed are 1 to 8", n);
    ck_assert_int_eq(read_text(form, body), n == 8 ? CAM_OK : CAM_E_BODY);
    ck_assert_str_eq(error.detail, n == 8 ? "" : says);
    ck_assert_int_eq(photos.n, 8);
    free(body);
  }
}
END_TEST

/* Every prefix of a good body is refused or, from the closing boundary on, read: no prefix is read
 * beyond its end (ASan). */
START_TEST(multipart_every_prefix) {
  static const char body[] = FIELD("alpha", "0.25") IMAGE("photo") "--B--";
  for (size_t n = 1; n < sizeof body; n++)
    ck_assert_msg((read_bytes(form, body, n) == CAM_OK) == (n == sizeof body - 1), "prefix %zu: %s",
                  n, error.detail);
}
END_TEST

START_TEST(multipart_long_headers_and_values) {
  char *body = malloc(20000);
  memset(body, 'a', 20000);
  memcpy(body, "--B\r\nX: ", 8);
  ck_assert_int_eq(read_bytes(form, body, 20000), CAM_E_BODY);
  ck_assert_ptr_nonnull(strstr(error.detail, "do not end within 8192 bytes"));
  int n = sprintf(body, "--B\r\nContent-Disposition: form-data; name=top_k\r\n\r\n");
  memset(body + n, '1', 2000);
  n += 2000;
  n += sprintf(body + n, "\r\n--B--");
  ck_assert_int_eq(read_bytes(form, body, (size_t)n), CAM_E_PARAMETER);
  ck_assert_str_eq(error.detail, "top_k: 2000 characters; allowed are 1024");
  static const char with_nul[] = "--B\r\nContent-Disposition: form-data; name=top_k\r\n\r\n3\0"
                                 "3\r\n--B--";
  ck_assert_int_eq(read_bytes(form, with_nul, sizeof with_nul - 1), CAM_E_PARAMETER);
  ck_assert_ptr_nonnull(strstr(error.detail, "NUL"));
  free(body);
}
END_TEST

START_TEST(json_bodies) {
  const char *good[] = {"{\"image\":\"aGVsbG8=\"}",
                        "{\"image\":\"data:image/png;base64,aGVsbG8=\",\"top_k\":2}",
                        "{\"top_k\":\"2\",\"image\":\"aGVs\\nbG8=\",\"alpha\":0.125}",
                        "{\"image\":\"DATA:;base64,aGVsbG8=\",\"include\":[\"map\",\"heatmap\"]}",
                        "\xef\xbb\xbf{\"image\":\"aGVsbG8\"}"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    ck_assert_msg(!read_text("application/json; charset=utf-8", good[i]), "%s: %s", good[i],
                  error.detail);
    ck_assert_int_eq(photos.n, 1);
    ck_assert_uint_eq(photos.photos[0].n, 5);
    ck_assert_mem_eq(photos.photos[0].bytes, "hello", 5);
    ck_assert_int_eq(params.cam.top_k, i == 1 || i == 2 ? 2 : 3);
    ck_assert_uint_eq(params.cam.include,
                      i == 3 ? CAM_INCLUDE_MAP | CAM_INCLUDE_HEATMAP : CAM_INCLUDE_OVERLAY);
    request_photos_free(&photos);
  }
}
END_TEST

/* Each label of an array is a value of its own, for it may have commas. */
START_TEST(json_array_of_classes) {
  static const char names[] = "281\0Samoyed, Samoyede\0n02124075";
  ck_assert_msg(!read_text("application/json", "{\"image\":\"aGVsbG8=\",\"classes\":[281,"
                                               "\"Samoyed, Samoyede\",\"n02124075\"]}"),
                "%s", error.detail);
  ck_assert_int_eq(params.classes.n, 3);
  ck_assert_uint_eq(params.classes.used, sizeof names);
  ck_assert_mem_eq(params.classes.text, names, sizeof names);
  request_photos_free(&photos);
}
END_TEST

START_TEST(json_wrong) {
  static const struct {
    const char *body, *says;
    cam_code code;
  } cases[] = {
      {"[]", "not an object", CAM_E_BODY},
      {"{", "JSON", CAM_E_BODY},
      {"{}", "image: missing", CAM_E_BODY},
      {"{\"image\":7}", "image: not a string", CAM_E_BODY},
      {"{\"image\":\"\"}", "image: empty", CAM_E_BODY},
      {"{\"image\":\"data:image/png,xx\"}", "base64", CAM_E_BODY},
      {"{\"image\":\"data:\"}", "base64", CAM_E_BODY},
      {"{\"image\":\"data:;base64,\"}", "image: empty", CAM_E_BODY},
      {"{\"image\":\"a\"}", "not base64", CAM_E_BODY},
      {"{\"image\":\"====\"}", "not base64", CAM_E_BODY},
      {"{\"image\":\"http://example.org/x.png\"}", "a URL, and none is fetched", CAM_E_BODY},
      {"{\"image\":\"HTTPS:\"}", "not base64 (of length 6)", CAM_E_BODY},
      {"{\"image\":\"aGVsbG8=\",\"images\":1}", "images", CAM_E_PARAMETER},
      {"{\"image\":\"aGVsbG8=\",\"top_k\":3.5}", "top_k", CAM_E_PARAMETER},
      {"{\"image\":\"aGVsbG8=\",\"top_k\":true}", "top_k", CAM_E_PARAMETER},
      {"{\"image\":\"aGVsbG8=\",\"alpha\":1e999}", "", CAM_E_PARAMETER},
      {"{\"image\":\"aGVsbG8=\",\"top_k\":[3]}", "top_k", CAM_E_PARAMETER},
      {"{\"image\":\"aGVsbG8=\",\"classes\":[[1]]}", "classes", CAM_E_PARAMETER},
      {"{\"image\":\"aGVsbG8=\",\"include\":[]}", "include", CAM_E_PARAMETER},
      {"{\"image\":\"aGVsbG8=\",\"image\":\"aGVsbG8=\"}", "twice", CAM_E_BODY},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    cam_code code = read_text("application/json", cases[i].body);
    ck_assert_msg(code == cases[i].code || (!*cases[i].says && code), "%s: %s", cases[i].body,
                  error.detail);
    ck_assert_msg(strstr(error.detail, cases[i].says) != NULL, "%s: %s", cases[i].body,
                  error.detail);
    request_photos_free(&photos);
  }
}
END_TEST

START_TEST(json_of_wide_characters) {
  static const char *const bodies[] = {"\xfe\xff\0{", "\xff\xfe{\0", "\0{\0}", "{\0}\0"};
  for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
    ck_assert_int_eq(read_bytes("application/json", bodies[i], 4), CAM_E_BODY);
    ck_assert_ptr_nonnull(strstr(error.detail, "only UTF-8"));
  }
  ck_assert_int_eq(read_text("application/json", "\xef\xbb\xbf"), CAM_E_BODY);
}
END_TEST

START_TEST(accept_chooses) {
  enum { PNG = 1 << CAM_PICTURE_PNG, JPEG = 1 << CAM_PICTURE_JPEG };
  static const struct {
    const char *value;
    accept_form form;
  } cases[] = {
      {NULL, ACCEPT_JSON},
      {"", ACCEPT_JSON},
      {" , ", ACCEPT_JSON},
      {"*/*", ACCEPT_JSON},
      {"image/png", ACCEPT_PICTURE},
      {"IMAGE/PNG", ACCEPT_PICTURE},
      {"application/json", ACCEPT_JSON},
      {"image/*", ACCEPT_PICTURE},
      {"application/*", ACCEPT_JSON},
      {"text/html", ACCEPT_NEITHER},
      {"image/gif, text/*", ACCEPT_NEITHER},
      {"application/problem+json", ACCEPT_NEITHER},
      {"image/png, */*", ACCEPT_PICTURE},
      {"application/json, text/plain, */*", ACCEPT_JSON},
      {"image/png, application/json", ACCEPT_JSON},
      {"image/png;q=0.5, application/json;q=0.4", ACCEPT_PICTURE},
      {"image/png;q=0.4,application/json ; q=0.5", ACCEPT_JSON},
      {"image/png;q=0, */*", ACCEPT_JSON},
      {"image/png;q=0", ACCEPT_NEITHER},
      {"application/json;q=0, */*;q=0.1", ACCEPT_PICTURE},
      {"*/*;q=0", ACCEPT_NEITHER},
      {"image/png;q=abc", ACCEPT_NEITHER},
      {"image/png;a=b;Q=0.1, application/json;q=0.05", ACCEPT_PICTURE},
      {"image/*;q=0.9, application/json;q=0.2", ACCEPT_PICTURE},
      {"*/png", ACCEPT_NEITHER},
      {"image/pngx", ACCEPT_NEITHER},
      {"image/avif,image/webp,image/apng,*/*;q=0.8", ACCEPT_JSON},
      {";;;,/,*", ACCEPT_NEITHER},
      {"image/jpeg", ACCEPT_PICTURE},
      {"image/jpg", ACCEPT_NEITHER},
      {"image/jpeg, application/json", ACCEPT_JSON},
      {"image/jpeg;q=0.2, application/json;q=0.1", ACCEPT_PICTURE},
      {"image/png;q=0x1", ACCEPT_NEITHER},
      {"image/png;q=0x1, application/json;q=0.001", ACCEPT_JSON},
      {"image/png;q=1e0", ACCEPT_NEITHER},
      {"image/png;q=1.001", ACCEPT_NEITHER},
      {"image/png;q=2", ACCEPT_NEITHER},
      {"image/png;q=0.1234", ACCEPT_NEITHER},
      {"image/png;q=00.5", ACCEPT_NEITHER},
      {"image/png;q=.5", ACCEPT_NEITHER},
      {"image/png;q=-1", ACCEPT_NEITHER},
      {"image/png;q=", ACCEPT_NEITHER},
      {"image/png;q=1.", ACCEPT_PICTURE},
      {"image/png;q=0.", ACCEPT_NEITHER},
      {"image/png;q=0.001", ACCEPT_PICTURE},
      {"image/png;q=1.000 , application/json;q=0.999", ACCEPT_PICTURE},
      {"image/png;q=0.998, application/json;q=0.999\t", ACCEPT_JSON},
      {"image/png ; q=0.5 ; q=0.1, application/json;q=0.4", ACCEPT_PICTURE},
  };
  static const struct {
    const char *value;
    cam_picture picture;
    unsigned pictures;
  } pictures[] = {
      {"image/png", CAM_PICTURE_PNG, PNG},
      {"image/jpeg", CAM_PICTURE_JPEG, JPEG},
      {"image/*", CAM_PICTURE_PNG, PNG | JPEG},
      {"image/png, image/jpeg", CAM_PICTURE_PNG, PNG | JPEG},
      {"image/jpeg, image/png", CAM_PICTURE_PNG, PNG | JPEG},
      {"image/png;q=0.3, image/jpeg;q=0.5", CAM_PICTURE_JPEG, PNG | JPEG},
      {"image/jpeg, image/*", CAM_PICTURE_JPEG, PNG | JPEG},
      {"image/png;q=0, image/*", CAM_PICTURE_JPEG, JPEG},
      {"image/jpeg, */*;q=0.1", CAM_PICTURE_JPEG, PNG | JPEG},
      {"image/jpeg;q=0, image/*;q=0.1", CAM_PICTURE_PNG, PNG},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    ck_assert_msg(accept_choose(cases[i].value).form == cases[i].form, "Accept: %s",
                  cases[i].value);
  for (size_t i = 0; i < sizeof pictures / sizeof *pictures; i++) {
    accepted got = accept_choose(pictures[i].value);
    ck_assert_msg(got.form == ACCEPT_PICTURE && got.picture == pictures[i].picture &&
                      got.pictures == pictures[i].pictures,
                  "Accept: %s", pictures[i].value);
  }
}
END_TEST

Suite *request_suite(void);
Suite *request_suite(void) {
  Suite *suite = suite_create("request");
  TCase *tcase = tcase_create("request");
  tcase_add_test(tcase, any_other_type_is_the_photo);
  tcase_add_test(tcase, other_bodies_are_told_what_to_send);
  tcase_add_test(tcase, short_bodies_are_photos);
  tcase_add_test(tcase, multipart_photos_and_parameters);
  tcase_add_test(tcase, multipart_boundaries);
  tcase_add_test(tcase, multipart_wrong);
  tcase_add_test(tcase, multipart_parts_of_the_browser);
  tcase_add_test(tcase, multipart_names);
  tcase_add_test(tcase, multipart_too_many);
  tcase_add_test(tcase, multipart_every_prefix);
  tcase_add_test(tcase, multipart_long_headers_and_values);
  tcase_add_test(tcase, json_bodies);
  tcase_add_test(tcase, json_array_of_classes);
  tcase_add_test(tcase, json_wrong);
  tcase_add_test(tcase, json_of_wide_characters);
  tcase_add_test(tcase, accept_chooses);
  suite_add_tcase(suite, tcase);
  return suite;
}
