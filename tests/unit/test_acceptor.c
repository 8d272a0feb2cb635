/* test_acceptor.c - who is accepted, who waits, who is refused: limits in all and of one address,
 * owners that end without a word, and an end that cuts nobody off. */
#include "cam_clock.h"
#include "http/acceptor.h"
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

static struct listener listener;
static struct acceptor *acceptor;
static atomic_ullong refused;
static atomic_int n_taken, last_taken;
static bool can_take, keeps;

static bool take(void *closure, int socket, const struct sockaddr *address, socklen_t n) {
  ck_assert_ptr_eq(closure, &n_taken);
  ck_assert(address->sa_family == AF_INET && n == sizeof(struct sockaddr_in));
  if (!can_take) {
    close(socket);
    return false;
  }
  atomic_store(&last_taken, socket);
  atomic_fetch_add(&n_taken, 1);
  if (!keeps) {
    acceptor_closed(acceptor, socket);
    close(socket);
  }
  return true;
}

static atomic_int n_reset; /* of calls */

static void begin_with(int64_t connections, int64_t per_address, const struct proxies *trusted) {
  cam_error error;
  const acceptor_terms terms = {.connections = connections,
                                .per_address = per_address,
                                .trusted = trusted,
                                .take = take,
                                .closure = &n_taken,
                                .refused = &refused};
  can_take = true;
  keeps = true;
  atomic_store(&n_reset, 0);
  atomic_store(&refused, 0);
  atomic_store(&n_taken, 0);
  ck_assert_msg(!listener_bind("127.0.0.1", 0, &listener, &error), "%s", error.detail);
  acceptor = acceptor_new(&listener, &terms);
  ck_assert_ptr_nonnull(acceptor);
}
static void begin(int64_t connections, int64_t per_address) {
  cam_error error;
  begin_with(connections, per_address, NULL);
  ck_assert_int_eq(listener_listen(&listener, &error), CAM_OK);
  ck_assert(acceptor_start(acceptor));
}
static void end(void) {
  acceptor_stop(acceptor);
  acceptor_free(acceptor);
}

/* A client; -1: refused, or reset while it connected, which is counted. */
static int call(void) {
  const struct sockaddr_in to = {.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)listener.port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ck_assert_int_ge(made, 0);
  if (!connect(made, (const struct sockaddr *)(const void *)&to, sizeof to))
    return made;
  if (errno == ECONNRESET)
    atomic_fetch_add(&n_reset, 1);
  else
    ck_assert_int_eq(errno, ECONNREFUSED);
  close(made);
  return -1;
}
/* Waits until so many were taken in all. */
static void until_taken(int n) {
  const double until = clock_seconds() + 30;
  while (atomic_load(&n_taken) != n) {
    ck_assert_msg(clock_seconds() < until, "%d were taken, not %d", atomic_load(&n_taken), n);
    usleep(1000);
  }
}
static void until_refused(int n) {
  const double until = clock_seconds() + 30;
  while (atomic_load(&refused) != (unsigned)n) {
    ck_assert_msg(clock_seconds() < until, "%llu were refused, not %d", atomic_load(&refused), n);
    usleep(1000);
  }
}
static bool is_closed(int client) {
  char byte;
  struct pollfd look = {client, POLLIN, 0};
  return poll(&look, 1, 30000) == 1 && recv(client, &byte, 1, 0) <= 0;
}
static void hang_up(int taken) {
  acceptor_closed(acceptor, taken);
  close(taken);
}

START_TEST(refused_before_and_after) {
  cam_error error;
  begin_with(10, 10, NULL);
  ck_assert_int_eq(call(), -1); /* bound, and not listening */
  ck_assert_int_eq(listener_listen(&listener, &error), CAM_OK);
  int waiting = call();
  ck_assert_int_ge(waiting, 0);
  ck_assert(acceptor_start(acceptor));
  until_taken(1);
  acceptor_stop(acceptor);
  ck_assert_int_eq(call(), -1);
  acceptor_stop(acceptor);
  hang_up(atomic_load(&last_taken));
  close(waiting);
  acceptor_free(acceptor);
  acceptor_free(NULL);
  ck_assert_int_eq(atomic_load(&n_reset), 0);
}
END_TEST

/* At the limit the next waits, and is taken when one ends. */
START_TEST(the_limit_of_all) {
  begin(2, 10);
  int a = call(), b = call();
  until_taken(2);
  int c = call();
  usleep(50000);
  ck_assert_int_eq(atomic_load(&n_taken), 2);
  hang_up(atomic_load(&last_taken));
  until_taken(3);
  ck_assert_uint_eq(atomic_load(&refused), 0);
  end();
  close(a), close(b), close(c);
}
END_TEST

START_TEST(the_limit_of_one_address) {
  begin(10, 2);
  int clients[3];
  for (int i = 0; i < 3; i++)
    clients[i] = call();
  ck_assert(is_closed(clients[2]));
  until_refused(1);
  hang_up(atomic_load(&last_taken));
  int again = call();
  until_taken(3);
  end();
  for (int i = 0; i < 3; i++)
    close(clients[i]);
  close(again);
}
END_TEST

START_TEST(trusted_proxies_have_no_limit) {
  struct proxies *proxies = NULL;
  cam_error error;
  ck_assert_int_eq(proxies_open("127.0.0.0/8", &proxies, &error), CAM_OK);
  begin_with(10, 1, proxies);
  ck_assert_int_eq(listener_listen(&listener, &error), CAM_OK);
  ck_assert(acceptor_start(acceptor));
  for (int i = 0; i < 5; i++)
    ck_assert_int_ge(call(), 0);
  until_taken(5);
  end();
  proxies_free(proxies);
}
END_TEST

/* An owner that fails, or closes a socket that it never opened, holds no seat. */
START_TEST(lost_seats_come_back) {
  begin(1, 1);
  can_take = false;
  for (int i = 1; i <= 3; i++) {
    ck_assert(is_closed(call()));
    until_refused(i);
  }
  can_take = true;
  call();
  until_taken(1);
  close(atomic_load(&last_taken)); /* without a word; the limit is reached */
  call();
  until_taken(2); /* found after a second */
  acceptor_opened(acceptor, atomic_load(&last_taken));
  call();
  usleep(1500000);
  ck_assert_int_eq(atomic_load(&n_taken), 2); /* that one is not lost */
  end();
}
END_TEST

START_TEST(unheard) {
  begin(10, 10);
  call(), call();
  until_taken(2);
  ck_assert_int_eq(acceptor_unheard(acceptor), 2);
  acceptor_opened(acceptor, atomic_load(&last_taken));
  ck_assert_int_eq(acceptor_unheard(acceptor), 2);
  acceptor_heard(acceptor, atomic_load(&last_taken));
  ck_assert_int_eq(acceptor_unheard(acceptor), 1);
  usleep(1100000);
  ck_assert_int_eq(acceptor_unheard(acceptor), 0);
  acceptor_heard(acceptor, -1);
  acceptor_closed(acceptor, 100000);
  end();
}
END_TEST

/* Clients that connect without a pause while it ends: each is taken or refused, none is cut; where
 * the kernel hushes no socket, at most one of each. */
static atomic_int n_connected;
static void *call_until_refused(void *unused) {
  for (int made; (made = call()) >= 0;) {
    atomic_fetch_add(&n_connected, 1);
    close(made);
  }
  return unused;
}
static bool can_hush(void) {
  struct listener made;
  cam_error error;
  ck_assert_int_eq(listener_bind("127.0.0.1", 0, &made, &error), CAM_OK);
  const bool can = listener_hush(&made);
  close(made.socket);
  return can;
}
/* Whether somebody was cut off. */
static bool end_under_load(void) {
  enum { CALLERS = 4 };
  pthread_t callers[CALLERS];
  atomic_store(&n_connected, 0);
  begin(100000, 100000);
  keeps = false;
  for (int i = 0; i < CALLERS; i++)
    ck_assert_int_eq(pthread_create(&callers[i], NULL, call_until_refused, NULL), 0);
  while (atomic_load(&n_taken) < 50)
    usleep(100);
  acceptor_stop(acceptor);
  for (int i = 0; i < CALLERS; i++)
    pthread_join(callers[i], NULL);
  const int connected = atomic_load(&n_connected) - atomic_load(&n_taken);
  const int cut = connected + atomic_load(&n_reset);
  ck_assert_int_ge(connected, 0);
  acceptor_free(acceptor);
  return cut > (can_hush() ? 0 : CALLERS);
}
/* Once is allowed: a machine so busy that a handshake within it takes longer than it is waited for
 * cuts one off. */
START_TEST(the_end_cuts_nobody_off) {
  int rounds_cut = 0;
  for (int round = 0; round < 3; round++)
    rounds_cut += end_under_load();
  ck_assert_int_le(rounds_cut, 1);
}
END_TEST

START_TEST(addresses) {
  cam_error error;
  struct listener made;
  ck_assert_int_eq(listener_bind("[127.0.0.1]", 0, &made, &error), CAM_OK);
  ck_assert_str_eq(made.address, "127.0.0.1");
  ck_assert(!made.any);
  ck_assert_int_eq(listener_listen(&made, &error), CAM_OK);
  struct listener other;
  ck_assert_int_eq(listener_bind("127.0.0.1", made.port, &other, &error), CAM_E_IO);
  ck_assert_ptr_nonnull(strstr(error.detail, "in use"));
  close(made.socket);
  ck_assert_int_eq(listener_bind("", 0, &made, &error), CAM_E_IO);
  ck_assert_int_eq(listener_bind("[", 0, &made, &error), CAM_E_IO);
  ck_assert_int_eq(listener_bind("no.such.host.invalid", 0, &made, &error), CAM_E_IO);
}
END_TEST

Suite *acceptor_suite(void);
Suite *acceptor_suite(void) {
  Suite *suite = suite_create("acceptor");
  TCase *tcase = tcase_create("acceptor");
  tcase_add_test(tcase, refused_before_and_after);
  tcase_add_test(tcase, the_limit_of_all);
  tcase_add_test(tcase, the_limit_of_one_address);
  tcase_add_test(tcase, trusted_proxies_have_no_limit);
  tcase_add_test(tcase, lost_seats_come_back);
  tcase_add_test(tcase, unheard);
  tcase_add_test(tcase, the_end_cuts_nobody_off);
  tcase_add_test(tcase, addresses);
  suite_add_tcase(suite, tcase);
  return suite;
}
