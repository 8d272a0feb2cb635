/* head.h - the line and the headers of a request, as they came. Names no HTTP library. Implemented
 * in server/http/head.c. Thread: the connection's. */
#ifndef HEAD_H
#define HEAD_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HEAD_QUERY = 24 }; /* all parameters, and ten classes one by one */

/* Strings are borrowed; NULL where there is none. */
struct head {
  const char *method, *path;
  const char *accept, *content_type, *content_encoding, *request_id, *content_length,
      *transfer_encoding, *authorization, *api_key, *traceparent, *host, *forwarded_for;
  const char *json_length;        /* Inference-Header-Content-Length */
  const char *origin, *preflight; /* preflight: Access-Control-Request-Method */
  int content_lengths, transfer_encodings, traceparents, hosts; /* how often the header is there */
  int bad_names; /* headers whose name is none: "Content-Length : 5" */
  struct {
    const char *name, *value;
  } query[HEAD_QUERY]; /* value "" where there is no '=' */
  int n_query;         /* may be more than HEAD_QUERY: those are not kept */
  int n_headers;
  size_t n_bytes;  /* of the request line and all headers */
  bool admin;      /* it came to the admin port */
  bool no_memory;  /* for a list in two lines */
  const char *due; /* where the next header begins; NULL: that is not known */
  bool strange;    /* something was passed over: see head_line */
  char *joined_accept, *joined_forwarded; /* owned */
};

/* Where the parts lie. libmicrohttpd 0.9.75 writes NULs over the line ends of what came, where it
 * lies, and its texts are C strings in there. So each part must begin where the one before it ends,
 * with CR LF between, and the last must end where the headers do. If not, there was what it passes
 * over and a proxy may read otherwise: a NUL, a line that ends in LF alone, a folded line. method,
 * target_end (one past the request target's last byte) and version are such texts. */
void head_line(struct head *head, const char *method, const char *target_end, const char *version);
void head_add_header(struct head *head, const char *name, const char *value);
/* After the last header. */
void head_end(struct head *head);
void head_clear(struct head *head); /* frees what it owns */
/* value NULL: there is no '='. */
void head_add_query(struct head *head, const char *name, const char *value);

/* What Content-Length says, 0 where it is missing; UINT64_MAX: more than can be counted, or no
 * number. */
uint64_t head_declared(const struct head *head);
/* True if a body follows the headers, or may: where that is not clear. */
bool head_has_body(const struct head *head);

/* The path of a request target, which may be in absolute form (RFC 9112 section 3.2.2):
 * "http://localhost:8080/cam" -> "/cam". */
const char *head_path(const char *target);
/* Ends a request line early whose query has far more parameters than there are; what is left is
 * still too many. */
void head_shorten_query(char *line);
/* %41 -> A in place; returns the new length. %00 becomes the byte 1, which no route and no value
 * has: a NUL would cut the text there and "/healthz%00x" be /healthz. */
size_t head_unescape(char *text);

#endif
