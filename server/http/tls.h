/* tls.h - certificate and private key of the service; and the asking end of a TLS connection, for
 * `camserve health`. The records themselves are libmicrohttpd's work. Implemented in
 * server/http/tls.c, the one file that names GnuTLS. */
#ifndef TLS_H
#define TLS_H
#include "cam_error.h"
#include <stdbool.h>
#include <stddef.h>

enum { TLS_FILE_BYTES = 256 << 10, TLS_CHAIN = 16 };
struct tls;

/* Reads two PEM files: the certificate with those above it, and its private key, not encrypted.
 * CAM_OK: *out is the caller's, for tls_close after the last connection; NULL where both paths are
 * empty: plain HTTP. Else the error names the setting and the file. One at a time in a process:
 * GnuTLS asks for certificates without saying on whose behalf. */
cam_code tls_open(const char *cert, const char *key, struct tls **out, cam_error *error);
void tls_close(struct tls *tls); /* NULL is allowed */

/* Reads both files once more, for connections from here on; those that are open live on. Files that
 * are not usable change nothing. Both are logged. True if what the files hold is now in use; also
 * for NULL. One caller at a time. */
bool tls_reload(struct tls *tls);

/* What libmicrohttpd is started with: MHD_OPTION_HTTPS_CERT_CALLBACK, a
 * gnutls_certificate_retrieve_function2, and MHD_OPTION_HTTPS_PRIORITIES. */
typedef void tls_callback(void);
extern tls_callback *const tls_certificate_callback;
extern const char tls_priorities[];

/* Sends text[0..n) on a session of libmicrohttpd's (gnutls_session_t), as much as goes at once. */
void tls_say(void *session, const char *text, size_t n);

/* Sends text[0..n) over TLS on a connected socket, whose timeouts hold, and reads the answer's
 * first line into answer[room], with a NUL. *why becomes what went wrong, static storage; else it
 * is left alone. The certificate is not verified: what is asked is whether this machine's service
 * is ready, and nothing secret is sent. */
void tls_ask(int socket, const char *text, size_t n, char *answer, size_t room, const char **why);

#endif
