/* proxies.c - proxies.h. Flow: http -> [proxies] -> log, limits.   Thread: any. */
#include "proxies.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};
enum { V4_BITS = 32, V6_BITS = 128, V4_AT = 12 };

static bool is_v4(const peer_address *address) {
  return !memcmp(address->bytes, v4_prefix, sizeof v4_prefix);
}

peer_address peer_address_of(const struct sockaddr *socket_address) {
  peer_address out = {0};
  if (socket_address && socket_address->sa_family == AF_INET6) {
    memcpy(out.bytes, &((const struct sockaddr_in6 *)(const void *)socket_address)->sin6_addr, 16);
  } else if (socket_address && socket_address->sa_family == AF_INET) {
    memcpy(out.bytes, v4_prefix, sizeof v4_prefix);
    memcpy(out.bytes + V4_AT, &((const struct sockaddr_in *)(const void *)socket_address)->sin_addr,
           4);
  }
  return out;
}

void peer_address_text(const peer_address *address, char out[PEER_TEXT]) {
  out[0] = 0;
  if (is_v4(address))
    inet_ntop(AF_INET, address->bytes + V4_AT, out, PEER_TEXT);
  else
    inet_ntop(AF_INET6, address->bytes, out, PEER_TEXT);
}

/* n characters -> an address, and how many bits one of its kind has. False: they are none. */
static bool read_address(const char *text, size_t n, peer_address *out, int *bits) {
  char one[PEER_TEXT];
  if (n >= sizeof one)
    return false;
  memcpy(one, text, n);
  one[n] = 0;
  memcpy(out->bytes, v4_prefix, sizeof v4_prefix);
  *bits = V4_BITS;
  if (inet_pton(AF_INET, one, out->bytes + V4_AT) == 1)
    return true;
  *bits = V6_BITS;
  return inet_pton(AF_INET6, one, out->bytes) == 1;
}

/* ---- the list ---- */

struct network {
  peer_address address;
  int bits; /* of the 128 that must agree */
};

struct proxies {
  int n;
  struct network list[PROXIES_MOST];
};

static bool contains(const struct network *network, const peer_address *address) {
  const size_t whole = (size_t)network->bits / 8;
  const int rest = network->bits % 8;
  if (memcmp(network->address.bytes, address->bytes, whole))
    return false;
  const int mask = 0xff << (8 - rest) & 0xff;
  return !rest || !((network->address.bytes[whole] ^ address->bytes[whole]) & mask);
}

/* "10.0.0.0/8"; without a length it is one address. */
static bool parse_network(const char *text, size_t n, struct network *out) {
  const char *slash = memchr(text, '/', n);
  int bits = 0;
  if (!read_address(text, slash ? (size_t)(slash - text) : n, &out->address, &bits))
    return false;
  out->bits = V6_BITS;
  if (!slash)
    return true;
  int length = 0;
  const char *digit = slash + 1, *end = text + n;
  if (digit == end || end - digit > 3)
    return false;
  for (; digit < end; digit++) {
    if (*digit < '0' || *digit > '9')
      return false;
    length = 10 * length + *digit - '0';
  }
  out->bits = V6_BITS - bits + length;
  return length <= bits;
}

/* The entry that begins at text, without the blanks around it; its length is in *n. Returns where
 * the next one begins; NULL: it was the last. */
static const char *next_entry(const char *text, const char **entry, size_t *n) {
  const char *comma = strchr(text, ',');
  *entry = text + strspn(text, " \t");
  const char *end = comma ? comma : text + strlen(text);
  while (end > *entry && strchr(" \t", end[-1]))
    end--;
  *n = (size_t)(end - *entry);
  return comma ? comma + 1 : NULL;
}

static cam_code parse_list(struct proxies *proxies, const char *list, cam_error *error) {
  for (const char *rest = list; rest;) {
    const char *entry;
    size_t n;
    rest = next_entry(rest, &entry, &n);
    if (proxies->n == PROXIES_MOST)
      return cam_fail(error, CAM_E_PARAMETER, "trusted_proxies: more than %d", PROXIES_MOST);
    if (!parse_network(entry, n, &proxies->list[proxies->n]))
      return cam_fail(error, CAM_E_PARAMETER,
                      "trusted_proxies: \"%.*s\": neither an address nor a network (10.0.0.0/8)",
                      n > 60 ? 60 : (int)n, entry);
    proxies->n++;
  }
  return CAM_OK;
}

cam_code proxies_open(const char *list, struct proxies **out, cam_error *error) {
  *out = NULL;
  if (!*list)
    return CAM_OK;
  struct proxies *proxies = calloc(1, sizeof *proxies);
  if (!proxies)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the list of proxies");
  const cam_code code = parse_list(proxies, list, error);
  if (code)
    free(proxies);
  else
    *out = proxies;
  return code;
}

void proxies_free(struct proxies *proxies) { free(proxies); }

/* ---- the questions ---- */

bool proxies_trust(const struct proxies *proxies, const peer_address *address) {
  for (int i = 0; proxies && i < proxies->n; i++)
    if (contains(&proxies->list[i], address))
      return true;
  return false;
}

/* The last entry of text[0..*n), which becomes what stands before it; its length is in *n_entry. */
static const char *last_entry(const char *text, size_t *n, size_t *n_entry) {
  size_t end = *n, begin = end;
  while (begin && text[begin - 1] != ',')
    begin--;
  *n = begin ? begin - 1 : 0;
  while (begin < end && strchr(" \t", text[begin]))
    begin++;
  while (end > begin && strchr(" \t", text[end - 1]))
    end--;
  *n_entry = end - begin;
  return text + begin;
}

peer_address proxies_client(const struct proxies *proxies, const peer_address *from,
                            const char *forwarded_for) {
  if (!forwarded_for || !proxies_trust(proxies, from))
    return *from;
  for (size_t n = strlen(forwarded_for); n;) {
    peer_address named = {0};
    size_t n_entry;
    int bits;
    const char *entry = last_entry(forwarded_for, &n, &n_entry);
    if (!read_address(entry, n_entry, &named, &bits))
      return *from;
    if (!proxies_trust(proxies, &named))
      return named;
  }
  return *from;
}
