/* request_id.c - a caller's id goes into headers, JSON and log lines, so nothing but plain
 * characters of it is ever kept. */
#include "request_id.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static bool is_plain(const char *text) {
  size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
  return n && n <= REQUEST_ID_MAX && !text[n];
}

static void make_fresh(char id[REQUEST_ID_MAX + 1]) {
  uint8_t bytes[16] = {0};
  if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) {
    /* It cannot happen for so few bytes once the kernel is up (getrandom(2)); an id names a
     * request and protects nothing, so the time will do. */
    struct timespec now;
    _Static_assert(sizeof now >= sizeof bytes, "seconds and nanoseconds");
    clock_gettime(CLOCK_REALTIME, &now);
    memcpy(bytes, &now, sizeof bytes);
  }
  for (size_t i = 0; i < sizeof bytes; i++)
    snprintf(id + 2 * i, 3, "%02x", bytes[i]);
}

void request_id_set(char id[REQUEST_ID_MAX + 1], const char *own) {
  if (own && is_plain(own))
    strcpy(id, own);
  else
    make_fresh(id);
}
