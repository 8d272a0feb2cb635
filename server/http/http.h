/* http.h - the HTTP side of the service over libmicrohttpd, which only server/http/http.c names. */
#ifndef HTTP_H
#define HTTP_H
#include "access.h"
#include "listener.h"
#include "terms.h"
#include "work/app.h"

struct http;

/* The life of a port, each in turn: its address is taken (connections are refused) and the HTTP
 * threads run; connections are made, and wait; they are accepted; what has connected is accepted
 * and from here on all others are refused; it ends. app and access live until http_stop. The errors
 * name address and reason. */
cam_code http_start(struct app *app, const struct access *access, http_side side, struct http **out,
                    cam_error *error);
cam_code http_listen(struct http *http, cam_error *error);
cam_code http_accept(struct http *http, cam_error *error);
void http_refuse(struct http *http);
/* Ends all connections and threads. No job may be in the queue or with a worker. NULL is allowed.
 */
void http_stop(struct http *http);

/* The address and the port it got. */
const struct listener *http_address(const struct http *http);
/* Connections that have come within the last second and may have sent a request that nobody has
 * read. */
int http_unheard(struct http *http);

#endif
