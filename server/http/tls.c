/* tls.c - PEM files -> what GnuTLS signs handshakes with. Flow: service -> [tls] <- libmicrohttpd's
 * threads, once a handshake. libmicrohttpd takes the files' texts too, but says of a wrong one only
 * that it did not start, and holds it until it stops; a certificate lives 90 days. So it asks here,
 * each time. Identities are not freed before the end, since a handshake may hold an old one for as
 * long as it likes; one is added only when the files have changed. */
#include "tls.h"
#include "base/file.h"
#include "base/log.h"
#include "cam_clock.h"
#include "cam_encoding.h"
#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Forward secrecy always (RFC 9325 section 4.1), and no TLS below 1.2 (RFC 8996). */
const char tls_priorities[] =
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-SHA1:%SERVER_PRECEDENCE";

enum { ASK_S = 3 };

struct identity {
  unsigned n;
  gnutls_pcert_st chain[TLS_CHAIN];
  gnutls_privkey_t key;
  char digest[65]; /* of both files */
  struct identity *older;
};

struct tls {
  char *cert, *key;
};

static struct identity *_Atomic current; /* a callback of GnuTLS has no closure */

/* ---- files -> identity ---- */

static void identity_free(struct identity *identity) {
  if (!identity)
    return;
  for (unsigned i = 0; i < identity->n; i++)
    gnutls_pcert_deinit(&identity->chain[i]);
  if (identity->key)
    gnutls_privkey_deinit(identity->key);
  free(identity);
}

/* A private key fits a certificate if both lead to the same public key. */
static bool fits(struct identity *identity) {
  unsigned char a[64], b[64];
  size_t n_a = sizeof a, n_b = sizeof b;
  gnutls_pubkey_t public;
  if (gnutls_pubkey_init(&public))
    return false;
  bool same = !gnutls_pubkey_import_privkey(public, identity->key, 0, 0) &&
              !gnutls_pubkey_get_key_id(public, GNUTLS_KEYID_USE_SHA256, a, &n_a) &&
              !gnutls_pubkey_get_key_id(identity->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, b,
                                        &n_b) &&
              n_a == n_b && !memcmp(a, b, n_a);
  gnutls_pubkey_deinit(public);
  return same;
}

static cam_code parse(struct identity *identity, const struct tls *tls, const gnutls_datum_t *cert,
                      const gnutls_datum_t *key, cam_error *error) {
  unsigned n = TLS_CHAIN;
  int code = gnutls_pcert_list_import_x509_raw(identity->chain, &n, cert, GNUTLS_X509_FMT_PEM,
                                               GNUTLS_X509_CRT_LIST_SORT |
                                                   GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);
  if (code < 0)
    return cam_fail(error, CAM_E_PARAMETER, "tls_cert: %.60s: %.70s", tls->cert,
                    gnutls_strerror(code));
  identity->n = n;
  code = gnutls_privkey_init(&identity->key);
  if (!code)
    code = gnutls_privkey_import_x509_raw(identity->key, key, GNUTLS_X509_FMT_PEM, NULL, 0);
  if (code < 0)
    return cam_fail(error, CAM_E_PARAMETER, "tls_key: %.60s: %.70s", tls->key,
                    gnutls_strerror(code));
  if (!fits(identity))
    return cam_fail(error, CAM_E_PARAMETER,
                    "tls_key: %.50s is not the key of the certificate in %.50s", tls->key,
                    tls->cert);
  return CAM_OK;
}

static void digest_of(const gnutls_datum_t *cert, const gnutls_datum_t *key, char out[65]) {
  char both[129];
  cam_sha256_hex(cert->data, cert->size, both);
  cam_sha256_hex(key->data, key->size, both + 64);
  cam_sha256_hex((const uint8_t *)both, 128, out);
}

static cam_code read_identity(const struct tls *tls, struct identity **out, cam_error *error) {
  char *cert = NULL, *key = NULL;
  size_t n_cert = 0, n_key = 0;
  struct identity *identity = calloc(1, sizeof *identity);
  if (!identity)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a certificate");
  cam_code code = file_read("tls_cert", tls->cert, TLS_FILE_BYTES, &cert, &n_cert, error);
  if (!code)
    code = file_read("tls_key", tls->key, TLS_FILE_BYTES, &key, &n_key, error);
  if (!code) {
    const gnutls_datum_t pem_cert = {(unsigned char *)cert, (unsigned)n_cert},
                         pem_key = {(unsigned char *)key, (unsigned)n_key};
    code = parse(identity, tls, &pem_cert, &pem_key, error);
    digest_of(&pem_cert, &pem_key, identity->digest);
  }
  file_forget(cert, n_cert);
  file_forget(key, n_key);
  if (code)
    identity_free(identity);
  else
    *out = identity;
  return code;
}

/* ---- the identity in use ---- */

static void log_identity(struct identity *identity) {
  gnutls_x509_crt_t cert;
  char name[96] = "", until[32] = "";
  size_t room = sizeof name;
  if (gnutls_pcert_export_x509(&identity->chain[0], &cert))
    return;
  const time_t end = gnutls_x509_crt_get_expiration_time(cert);
  struct tm utc;
  if (gnutls_x509_crt_get_subject_alt_name(cert, 0, name, &room, NULL) != GNUTLS_SAN_DNSNAME)
    strcpy(name, "-");
  if (gmtime_r(&end, &utc))
    strftime(until, sizeof until, "%Y-%m-%d", &utc);
  log_event("tls", "certificate of %s, %s %s", name, end < time(NULL) ? "expired on" : "until",
            until);
  gnutls_x509_crt_deinit(cert);
}

static void use(struct identity *identity) {
  identity->older = atomic_load(&current);
  atomic_store(&current, identity);
  log_identity(identity);
}

cam_code tls_open(const char *cert, const char *key, struct tls **out, cam_error *error) {
  *out = NULL;
  if (!*cert && !*key)
    return CAM_OK;
  if (!*cert)
    return cam_fail(error, CAM_E_PARAMETER, "tls_key is set without tls_cert; TLS takes both");
  if (!*key)
    return cam_fail(error, CAM_E_PARAMETER, "tls_cert is set without tls_key; TLS takes both");
  struct tls *tls = calloc(1, sizeof *tls);
  struct identity *identity = NULL;
  if (tls) {
    tls->cert = strdup(cert);
    tls->key = strdup(key);
  }
  cam_code code = CAM_OK;
  if (!tls || !tls->cert || !tls->key)
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for a certificate");
  else
    code = read_identity(tls, &identity, error);
  if (code) {
    tls_close(tls);
    return code;
  }
  use(identity);
  *out = tls;
  return CAM_OK;
}

void tls_close(struct tls *tls) {
  if (!tls)
    return;
  for (struct identity *identity = atomic_exchange(&current, NULL); identity;) {
    struct identity *older = identity->older;
    identity_free(identity);
    identity = older;
  }
  free(tls->cert);
  free(tls->key);
  free(tls);
}

bool tls_reload(struct tls *tls) {
  struct identity *identity = NULL;
  cam_error error = {0};
  if (!tls)
    return true;
  if (read_identity(tls, &identity, &error)) {
    log_event("tls", "%s; the certificate stays as it was", error.detail);
    return false;
  }
  if (strcmp(identity->digest, atomic_load(&current)->digest))
    use(identity);
  else
    identity_free(identity);
  return true;
}

static int retrieve(gnutls_session_t session, const gnutls_datum_t *issuers, int n_issuers,
                    const gnutls_pk_algorithm_t *algorithms, int n_algorithms,
                    gnutls_pcert_st **chain, unsigned *n, gnutls_privkey_t *key) {
  (void)session;
  (void)issuers;
  (void)n_issuers;
  (void)algorithms;
  (void)n_algorithms;
  struct identity *identity = atomic_load(&current);
  *chain = identity->chain;
  *n = identity->n;
  *key = identity->key;
  return 0;
}
_Static_assert(__builtin_types_compatible_p(__typeof__(retrieve),
                                            gnutls_certificate_retrieve_function2),
               "what libmicrohttpd takes it for");
tls_callback *const tls_certificate_callback = (tls_callback *)retrieve;

void tls_say(void *session, const char *text, size_t n) { gnutls_record_send(session, text, n); }

/* ---- the asking end ---- */

/* 0, or an error of GnuTLS. Over TLS 1.3 a call may say "again" for a message that was not data,
 * though the socket blocks. */
static int ask_over(gnutls_session_t session, const char *text, size_t n, char *answer,
                    size_t room) {
  const double until = clock_seconds() + ASK_S;
  int code;
  do
    code = gnutls_handshake(session);
  while (code < 0 && !gnutls_error_is_fatal(code) && clock_seconds() < until);
  if (code >= 0)
    code = gnutls_record_send(session, text, n) < 0 ? GNUTLS_E_PUSH_ERROR : 0;
  size_t used = 0;
  while (!code && used < room - 1 && !memchr(answer, '\n', used)) {
    const ssize_t got = gnutls_record_recv(session, answer + used, room - 1 - used);
    if (got > 0)
      used += (size_t)got;
    else if (!got || gnutls_error_is_fatal((int)got) || clock_seconds() >= until)
      break;
  }
  answer[used] = 0;
  return code;
}

void tls_ask(int socket, const char *text, size_t n, char *answer, size_t room, const char **why) {
  gnutls_certificate_credentials_t credentials = NULL;
  gnutls_session_t session = NULL;
  answer[0] = 0;
  int code = gnutls_certificate_allocate_credentials(&credentials);
  if (!code)
    code = gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL);
  if (!code)
    code = gnutls_set_default_priority(session);
  if (!code)
    code = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
  if (!code) {
    gnutls_transport_set_int(session, socket);
    code = ask_over(session, text, n, answer, room);
  }
  if (session)
    gnutls_deinit(session);
  if (credentials)
    gnutls_certificate_free_credentials(credentials);
  if (code)
    *why = gnutls_strerror(code);
}
