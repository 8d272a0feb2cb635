/* test_proxies.c - lists of proxies, and whom they speak for: read from the right, believed only as
 * far as it is trusted. */
#include "http/proxies.h"
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static struct proxies *proxies;
static cam_error error;
static void forget(void) {
  proxies_free(proxies);
  proxies = NULL;
}
static void trust(const char *list) {
  forget();
  ck_assert_msg(!proxies_open(list, &proxies, &error), "%s", error.detail);
}

static peer_address v4(const char *text) {
  struct sockaddr_in at = {.sin_family = AF_INET};
  ck_assert_int_eq(inet_pton(AF_INET, text, &at.sin_addr), 1);
  return peer_address_of((const struct sockaddr *)(const void *)&at);
}
static peer_address v6(const char *text) {
  struct sockaddr_in6 at = {.sin6_family = AF_INET6};
  ck_assert_int_eq(inet_pton(AF_INET6, text, &at.sin6_addr), 1);
  return peer_address_of((const struct sockaddr *)(const void *)&at);
}
static bool trusts(peer_address address) { return proxies_trust(proxies, &address); }
static const char *client(peer_address from, const char *forwarded_for) {
  static char text[PEER_TEXT];
  const peer_address found = proxies_client(proxies, &from, forwarded_for);
  peer_address_text(&found, text);
  return text;
}

START_TEST(networks) {
  trust(" 10.1.0.0/16,192.0.2.9 ,2001:db8::/33, 198.51.100.128/25,203.0.113.0/31");
  ck_assert(trusts(v4("10.1.255.255")));
  ck_assert(!trusts(v4("10.2.0.0")));
  ck_assert(trusts(v4("192.0.2.9")));
  ck_assert(!trusts(v4("192.0.2.8")));
  ck_assert(trusts(v4("198.51.100.200")));
  ck_assert(!trusts(v4("198.51.100.127")));
  ck_assert(trusts(v4("203.0.113.1")));
  ck_assert(!trusts(v4("203.0.113.2")));
  ck_assert(trusts(v6("2001:db8:7fff::1")));
  ck_assert(!trusts(v6("2001:db8:8000::1")));
  ck_assert(trusts(v6("::ffff:10.1.2.3"))); /* the same machine on a socket of the other kind */
  trust("0.0.0.0/0");
  ck_assert(trusts(v4("255.1.2.3")));
  ck_assert(!trusts(v6("2001:db8::1")));
  trust("::/0");
  ck_assert(trusts(v6("2001:db8::1")));
  trust("");
  ck_assert_ptr_null(proxies);
  ck_assert(!trusts(v4("127.0.0.1")));
}
END_TEST

static const char *const bad[] = {
    ",",           "10.0.0.0/8,",  "proxy.example",  "127.0.0", "*",     "127.0.0.1/33",
    "127.0.0.1/",  "127.0.0.1/-1", "127.0.0.1/0001", "::1/129", "[::1]", "127.0.0.1:80",
    "10.0.0.0 /8", "10.0.0.0/ 8"};
START_TEST(refused) {
  ck_assert_int_eq(proxies_open(bad[_i], &proxies, &error), CAM_E_PARAMETER);
  ck_assert_ptr_nonnull(strstr(error.detail, "trusted_proxies"));
  ck_assert_ptr_null(proxies);
}
END_TEST

START_TEST(not_too_many) {
  char list[8 * (PROXIES_MOST + 1)] = "::1", *end = list + 3;
  for (int i = 1; i < PROXIES_MOST; i++)
    end += sprintf(end, ",::1");
  trust(list);
  forget();
  strcpy(end, ",::2");
  ck_assert_int_eq(proxies_open(list, &proxies, &error), CAM_E_PARAMETER);
}
END_TEST

START_TEST(clients) {
  static const char *const cases[][2] = {
      {NULL, "127.0.0.1"},
      {"", "127.0.0.1"},
      {"203.0.113.7", "203.0.113.7"},
      {" 203.0.113.7\t", "203.0.113.7"},
      {"2001:db8::17", "2001:db8::17"},
      {"::ffff:203.0.113.7", "203.0.113.7"},
      {"198.51.100.1, 203.0.113.7", "203.0.113.7"},
      {"203.0.113.7,192.0.2.9 , 127.0.0.1", "203.0.113.7"},
      {"evil\", x, 203.0.113.7", "203.0.113.7"},
      {"203.0.113.7, nonsense", "127.0.0.1"},
      {"203.0.113.7,", "127.0.0.1"},
      {"203.0.113.7,, 127.0.0.1", "127.0.0.1"},
      {"127.0.0.1, 192.0.2.9", "127.0.0.1"},
      {"203.0.113.7:1234", "127.0.0.1"},
      {"11111111111111111111111111111111111111111111111111111111", "127.0.0.1"},
  };
  trust("127.0.0.1, 192.0.2.9");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    ck_assert_str_eq(client(v4("127.0.0.1"), cases[i][0]), cases[i][1]);
  ck_assert_str_eq(client(v4("198.51.100.9"), "203.0.113.7"), "198.51.100.9");
  forget();
  ck_assert_str_eq(client(v4("127.0.0.1"), "203.0.113.7"), "127.0.0.1");
}
END_TEST

Suite *proxies_suite(void);
Suite *proxies_suite(void) {
  Suite *suite = suite_create("proxies");
  TCase *tcase = tcase_create("proxies");
  tcase_add_checked_fixture(tcase, NULL, forget);
  tcase_add_test(tcase, networks);
  tcase_add_loop_test(tcase, refused, 0, (int)(sizeof bad / sizeof *bad));
  tcase_add_test(tcase, not_too_many);
  tcase_add_test(tcase, clients);
  suite_add_tcase(suite, tcase);
  return suite;
}
