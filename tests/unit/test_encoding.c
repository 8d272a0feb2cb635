/* test_encoding.c - published vectors, every remainder by three, and what must be refused. */
#include "cam_encoding.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(sha256_vectors) { /* FIPS 180-2, appendix B; the empty text from NIST's CAVP */
  static const struct {
    const char *text, *hex;
  } vectors[] = {
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
  };
  char hex[65];
  for (unsigned i = 0; i < sizeof vectors / sizeof *vectors; i++) {
    cam_sha256_hex((const uint8_t *)vectors[i].text, strlen(vectors[i].text), hex);
    ck_assert_str_eq(hex, vectors[i].hex);
  }
}
END_TEST

START_TEST(base64_vectors) { /* RFC 4648, section 10 */
  static const char *const vectors[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"},
                                           {"\xfb\xff\xbf", "+/+/"}};
  for (unsigned i = 0; i < sizeof vectors / sizeof *vectors; i++) {
    char text[16] = "~~~~~~~~~~~~~~~";
    uint8_t bytes[16];
    const size_t n = strlen(vectors[i][0]), length = cam_base64_length(n);
    size_t back;
    ck_assert_uint_eq(length, strlen(vectors[i][1]));
    cam_base64_encode((const uint8_t *)vectors[i][0], n, text);
    ck_assert_mem_eq(text, vectors[i][1], length);
    ck_assert_int_eq(text[length], '~'); /* no NUL, nothing beyond */
    ck_assert(cam_base64_decode(text, length, bytes, &back));
    ck_assert_uint_eq(back, n);
    ck_assert_mem_eq(bytes, vectors[i][0], n);
  }
}
END_TEST

START_TEST(base64_round_trip) {
  for (size_t n = 0; n < 3200; n += 1 + 28 * (n >= 200 && n % 768 > 10)) {
    uint8_t *bytes = malloc(n + !n);
    for (size_t i = 0; i < n; i++)
      bytes[i] = (uint8_t)(i * 167 + n);
    const size_t length = cam_base64_length(n);
    char *text = malloc(
        length +
        1); /* of the exact sizes that the header promises: a sanitizer sees a byte too many */
    uint8_t *back = malloc(length / 4 * 3 + 3);
    size_t n_back = 0;
    cam_base64_encode(bytes, n, text);
    ck_assert(cam_base64_decode(text, length, back, &n_back));
    ck_assert_uint_eq(n_back, n);
    ck_assert_mem_eq(back, bytes, n);
    free(text);
    free(back);
    free(bytes);
  }
}
END_TEST

START_TEST(base64_skips_white_space) {
  uint8_t bytes[32];
  size_t n;
  const char *text = " Zm9v\r\nYm\tFy\n";
  ck_assert(cam_base64_decode(text, strlen(text), bytes, &n));
  ck_assert_uint_eq(n, 6);
  ck_assert_mem_eq(bytes, "foobar", 6);
}
END_TEST

/* As JavaScript and JWT libraries write it, with and without padding. */
START_TEST(base64_of_other_spellings) {
  static const struct {
    const char *text, *bytes;
  } vectors[] = {
      {"Zg", "f"},
      {"Zm8", "fo"},
      {"Zm9vYg", "foob"},
      {"Zm9v\nYmE\n", "fooba"},
      {"-_-_", "\xfb\xff\xbf"},
      {"-_-_-w==", "\xfb\xff\xbf\xfb"},
      {"-_-_-w", "\xfb\xff\xbf\xfb"},
      {"+/+/+/8", "\xfb\xff\xbf\xfb\xff"},
  };
  for (unsigned i = 0; i < sizeof vectors / sizeof *vectors; i++) {
    const size_t length = strlen(vectors[i].text);
    uint8_t *bytes = malloc(length / 4 * 3 + 3);
    size_t n;
    ck_assert_msg(cam_base64_decode(vectors[i].text, length, bytes, &n), "%s", vectors[i].text);
    ck_assert_uint_eq(n, strlen(vectors[i].bytes));
    ck_assert_mem_eq(bytes, vectors[i].bytes, n);
    free(bytes);
  }
}
END_TEST

START_TEST(base64_refuses) {
  static const char *const wrong[] = {
      "Z",        "Zm9vY", "Zg=",  "Zg===",  "A===",  "AAAAA===",      "=",           "Zm9v=",
      "Zg==Zg==", "Zg=Zg", "Zg=g", "-/-/",   "+/+_",  "Zm9v!",         "Zm\xc3\xa9v", "data:Zm9v",
      "Zh==",     "Zh",    "Zm9",  "-_-_-x", "-_-x=", "-_-_-w=\n=\n=", "=Zg="};
  for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    const size_t length = strlen(wrong[i]);
    uint8_t *bytes = malloc(length / 4 * 3 + 3);
    size_t n;
    ck_assert_msg(!cam_base64_decode(wrong[i], length, bytes, &n), "%s", wrong[i]);
    free(bytes);
  }
  uint8_t bytes[8];
  size_t n;
  ck_assert(!cam_base64_decode("Zm9\0", 4, bytes, &n));
}
END_TEST

START_TEST(equality) {
  ck_assert(cam_equal_constant_time("secret", "secret", 6));
  ck_assert(cam_equal_constant_time("secreT", "secret", 5));
  ck_assert(!cam_equal_constant_time("secreT", "secret", 6));
  ck_assert(!cam_equal_constant_time("Secret", "secret", 6));
  ck_assert(cam_equal_constant_time("a", "b", 0));
}
END_TEST

Suite *encoding_suite(void);
Suite *encoding_suite(void) {
  Suite *suite = suite_create("encoding");
  TCase *tcase = tcase_create("encoding");
  tcase_add_test(tcase, sha256_vectors);
  tcase_add_test(tcase, base64_vectors);
  tcase_add_test(tcase, base64_round_trip);
  tcase_add_test(tcase, base64_skips_white_space);
  tcase_add_test(tcase, base64_of_other_spellings);
  tcase_add_test(tcase, base64_refuses);
  tcase_add_test(tcase, equality);
  suite_add_tcase(suite, tcase);
  return suite;
}
