/* test_watch.c - deadlines shut a socket down, a lingering socket is read on until its client ends,
 * all of it while threads come and go. */
#include "cam_clock.h"
#include "http/watch.h"
#include <check.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static void pair(int sockets[2]) {
  ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
}

START_TEST(deadline_shuts_down) {
  struct watch *watch = watch_start();
  int a[2], b[2];
  pair(a);
  pair(b);
  struct watched *short_one = watch_open(watch, a[0]), *endless = watch_open(watch, b[0]);
  double begun = clock_seconds();
  watch_until(watch, endless, begun + 100);
  watch_until(watch, short_one, begun + 0.1);
  char byte;
  ck_assert_int_eq(read(a[1], &byte, 1), 0); /* waits for the end of file */
  ck_assert(clock_seconds() - begun >= 0.1 && clock_seconds() - begun < 60);
  watch_until(watch, endless, INFINITY);
  ck_assert(watch_expired(watch, short_one));
  ck_assert(!watch_expired(watch, endless));
  ck_assert(!watch_expired(watch, NULL));
  watch_close(watch, short_one);
  watch_close(watch, endless);
  watch_close(watch, NULL);
  ck_assert_int_eq(write(b[0], "x", 1), 1);
  watch_stop(watch);
  for (int i = 0; i < 2; i++)
    close(a[i]), close(b[i]);
}
END_TEST

/* Nothing is armed, so the thread sleeps without end; twice, for it goes back to that. */
START_TEST(deadline_wakes_a_thread_that_waits_for_nothing) {
  struct watch *watch = watch_start();
  for (int i = 0; i < 2; i++) {
    int a[2];
    char byte;
    pair(a);
    struct watched *one = watch_open(watch, a[0]);
    ck_assert_int_eq(poll(NULL, 0, 100), 0); /* until it sleeps */
    watch_until(watch, one, clock_seconds() + 0.01);
    ck_assert_int_eq(poll(&(struct pollfd){a[1], POLLIN, 0}, 1, 3000), 1);
    ck_assert_int_eq(read(a[1], &byte, 1), 0);
    watch_close(watch, one);
    close(a[0]), close(a[1]);
  }
  watch_stop(watch);
}
END_TEST

/* A TCP connection to ourselves. */
static void tcp_pair(int sockets[2]) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof address;
  int listening = socket(AF_INET, SOCK_STREAM, 0);
  ck_assert(!bind(listening, (struct sockaddr *)&address, n) && !listen(listening, 1) &&
            !getsockname(listening, (struct sockaddr *)&address, &n));
  sockets[1] = socket(AF_INET, SOCK_STREAM, 0);
  ck_assert(!connect(sockets[1], (struct sockaddr *)&address, n));
  sockets[0] = accept(listening, NULL, NULL);
  close(listening);
}

static void send_and_wait(int sockets[2], const char *bytes, ssize_t n) {
  char there[16];
  ck_assert_int_eq(send(sockets[1], bytes, (size_t)n, 0), n);
  ck_assert_int_eq(recv(sockets[0], there, (size_t)n, MSG_WAITALL), n);
}

/* What came before the mark, the end of the stream, and what comes after the last mark do not
 * count. */
START_TEST(sees_what_came_after_the_mark) {
  struct watch *watch = watch_start();
  int tcp[2];
  char byte;
  tcp_pair(tcp);
  struct watched *one = watch_open(watch, tcp[0]);
  ck_assert(!watch_has_moved(NULL));
  ck_assert(!watch_has_moved(one));
  send_and_wait(tcp, "GET", 3);
  ck_assert(watch_has_moved(one));
  watch_mark(one, false);
  ck_assert(!watch_has_moved(one));
  send_and_wait(tcp, "xy", 2);
  ck_assert(watch_has_moved(one));
  watch_mark(one, false);
  shutdown(tcp[1], SHUT_WR);
  ck_assert_int_eq(recv(tcp[0], &byte, 1, 0), 0);
  ck_assert(!watch_has_moved(one));
  watch_close(watch, one);
  close(tcp[0]), close(tcp[1]);
  tcp_pair(tcp);
  one = watch_open(watch, tcp[0]);
  watch_mark(one, true);
  send_and_wait(tcp, "more", 4);
  ck_assert(!watch_has_moved(one));
  watch_mark(NULL, false);
  watch_close(watch, one);
  close(tcp[0]), close(tcp[1]);
  watch_stop(watch);
}
END_TEST

/* Seconds from the end of a client's stream to the end of ours. */
static double seconds_to_end(struct watch *watch) {
  int a[2];
  char bytes[65536] = {0};
  pair(a);
  watch_linger(watch, a[0]);
  for (int i = 0; i < 50; i++)
    ck_assert_int_eq(send(a[1], bytes, sizeof bytes, MSG_NOSIGNAL),
                     (int)sizeof bytes); /* someone reads it */
  double begun = clock_seconds();
  shutdown(a[1], SHUT_WR);
  ck_assert_int_eq(read(a[1], bytes, 1), 0);
  close(a[1]);
  return clock_seconds() - begun;
}

START_TEST(lingers_until_the_client_ends) {
  struct watch *watch = watch_start();
  int late = 0;
  while (seconds_to_end(watch) > 1)
    ck_assert_int_lt(
        ++late, 20); /* not after the two seconds, but for what a busy machine does now and then */
  watch_stop(watch);
}
END_TEST

START_TEST(lingering_is_bounded) {
  struct watch *watch = watch_start();
  int sockets[300][2], closed = 0;
  for (int i = 0; i < 300; i++) {
    pair(sockets[i]);
    watch_linger(watch, sockets[i][0]);
  }
  for (int i = 0; i < 300; i++) {
    char byte;
    ssize_t n = recv(sockets[i][1], &byte, 1, MSG_DONTWAIT);
    closed += n == 0;
  }
  ck_assert_int_eq(closed, 300 - 256);
  watch_stop(watch);
  for (int i = 0; i < 300; i++) {
    char byte;
    ck_assert_int_eq(read(sockets[i][1], &byte, 1), 0);
    close(sockets[i][1]);
  }
  watch_stop(NULL);
}
END_TEST

Suite *watch_suite(void);
Suite *watch_suite(void) {
  Suite *suite = suite_create("watch");
  TCase *tcase = tcase_create("watch");
  tcase_add_test(tcase, deadline_shuts_down);
  tcase_add_test(tcase, deadline_wakes_a_thread_that_waits_for_nothing);
  tcase_add_test(tcase, lingers_until_the_client_ends);
  tcase_add_test(tcase, lingering_is_bounded);
  suite_add_tcase(suite, tcase);
  tcase = tcase_create("counts bytes");
  tcase_set_tags(tcase, "tcp_info");
  tcase_add_test(tcase, sees_what_came_after_the_mark);
  suite_add_tcase(suite, tcase);
  return suite;
}
