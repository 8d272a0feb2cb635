/* test_head.c - what came before the body, as the HTTP library leaves it: lists in several lines,
 * targets, and whether anything was passed over between the parts. */
#include "http/head.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

/* Bytes as they came, of a request with at most one header a line; the library's way through them:
 * a text ends at the first NUL, and so do its line ends. CR LF and LF both end a line. */
static bool strange(const char *bytes, size_t n) {
  char *raw = malloc(n + 1);
  memcpy(raw, bytes, n);
  raw[n] = 0;
  char *line_end = memchr(raw, '\n', n), *at = line_end + 1;
  *line_end = 0;
  if (line_end[-1] == '\r')
    line_end[-1] = 0;
  char *target = strchr(raw, ' ') + 1, *version = memchr(target, ' ', (size_t)(line_end - target));
  target[-1] = 0;
  *version++ = 0;
  struct head head = {.method = raw, .path = target, .n_bytes = n};
  head_line(&head, raw, target + strlen(target), version);
  while (*at && *at != '\r' && *at != '\n') {
    line_end = memchr(at, '\n', (size_t)(raw + n - at));
    char *name = at, *value = strchr(name, ':');
    at = line_end + 1;
    *line_end = 0;
    if (line_end[-1] == '\r')
      line_end[-1] = 0;
    *value++ = 0;
    head_add_header(&head, name, value + strspn(value, " "));
  }
  head_end(&head);
  const bool found = head.strange;
  head_clear(&head);
  free(raw);
  return found;
}
#define STRANGE(bytes) strange(bytes, sizeof(bytes) - 1)

START_TEST(nothing_is_passed_over) {
  ck_assert(!STRANGE("GET /version HTTP/1.1\r\nHost: a\r\n\r\n"));
  ck_assert(!STRANGE("GET / HTTP/1.0\r\n\r\n"));
  ck_assert(!STRANGE("POST /cam?top_k=1 HTTP/1.1\r\nHost:a\r\nX:   b c  \r\nY: \r\nZ:\r\n\r\n"));
  ck_assert(STRANGE("GET /version\0 HTTP/1.1\r\nHost: a\r\n\r\n"));
  ck_assert(STRANGE("GET /ver\0sion HTTP/1.1\r\nHost: a\r\n\r\n"));
  ck_assert(STRANGE("GET /version HTTP/1.1\r\nX: a\0b\r\nHost: a\r\n\r\n"));
  ck_assert(STRANGE("GET /version HTTP/1.1\r\nHost: a\0\r\n\r\n"));
  ck_assert(STRANGE("GET /version HTTP/1.1\nHost: a\r\n\r\n"));
  ck_assert(STRANGE("GET /version HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"));
  ck_assert(STRANGE("GET /version HTTP/1.1\r\nHost: a\r\nX: b\n\r\n"));
  ck_assert(STRANGE("GET /version HTTP/1.1\r\nHost: a\r\n\n"));
  ck_assert(STRANGE("GET /version HTTP/1.1\nHost: a\0\r\n\r\n")); /* one byte less, one more */
}
END_TEST

/* A line that goes on in the next: the library moves it elsewhere. */
START_TEST(a_moved_name_is_seen) {
  char elsewhere[] = "X", raw[] = "GET\0/\0HTTP/1.1\0\0Host\0a\0\0X\0b";
  struct head head = {.method = raw, .n_bytes = sizeof raw + 3};
  head_line(&head, raw, raw + 5, raw + 6);
  head_add_header(&head, raw + 16, raw + 21);
  ck_assert(!head.strange);
  head_add_header(&head, elsewhere, raw + 26);
  ck_assert(head.strange);
}
END_TEST

START_TEST(lines_of_a_list_are_one) {
  struct head head = {0};
  head_add_header(&head, "accept", "image/png");
  head_add_header(&head, "X-Forwarded-For", "192.0.2.1");
  ck_assert_str_eq(head.accept, "image/png");
  head_add_header(&head, "Accept", "");
  head_add_header(&head, "ACCEPT", "text/html");
  head_add_header(&head, "X-FORWARDED-FOR", "192.0.2.2");
  ck_assert_str_eq(head.accept, "image/png, , text/html");
  ck_assert_str_eq(head.forwarded_for, "192.0.2.1, 192.0.2.2");
  ck_assert(!head.no_memory);
  head_clear(&head);
}
END_TEST

START_TEST(targets) {
  static const char *const cases[][2] = {
      {"/cam", "/cam"},
      {"http://localhost/cam", "/cam"},
      {"HTTPS://a:8080/cam/", "/cam/"},
      {"http://[::1]:80/", "/"},
      {"http://localhost", "/"},
      {"/http://localhost/cam", "/http://localhost/cam"},
      {"ftp://localhost/cam", "ftp://localhost/cam"},
      {"*", "*"},
      {"", ""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    ck_assert_str_eq(head_path(cases[i][0]), cases[i][1]);
}
END_TEST

/* %41 is A; a NUL is no end; what is no escape stays. */
START_TEST(escapes) {
  static const char *const cases[][2] = {
      {"/%41%7a", "/Az"},   {"/%00x", "/\1x"},      {"%", "%"}, {"%4", "%4"},
      {"%4g%G4", "%4g%G4"}, {"%fF%Ff", "\xff\xff"}, {"", ""},   {"%2541", "%41"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[16];
    strcpy(text, cases[i][0]);
    ck_assert_uint_eq(head_unescape(text), strlen(cases[i][1]));
    ck_assert_str_eq(text, cases[i][1]);
  }
}
END_TEST

Suite *head_suite(void);
Suite *head_suite(void) {
  Suite *suite = suite_create("head");
  TCase *tcase = tcase_create("head");
  tcase_add_test(tcase, nothing_is_passed_over);
  tcase_add_test(tcase, a_moved_name_is_seen);
  tcase_add_test(tcase, lines_of_a_list_are_one);
  tcase_add_test(tcase, targets);
  tcase_add_test(tcase, escapes);
  suite_add_tcase(suite, tcase);
  return suite;
}
