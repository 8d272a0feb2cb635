/* http.h - the HTTP side of the service over libmicrohttpd, which only server/http/http.c names. */
#ifndef HTTP_H
#define HTTP_H
#include "access.h"
#include "listener.h"
#include "work/app.h"

struct http;

/* HTTP_MAIN: what callers use, on config->host and port. HTTP_ADMIN: on admin_host and admin_port,
 * with a thread and connections of its own, so that it answers whatever goes on at the other; what
 * is asked there is not counted, and new connections come in while the service drains, too. */
typedef enum http_side { HTTP_MAIN, HTTP_ADMIN } http_side;

/* Listens and starts the HTTP threads; requests come in at once, new connections until app->phase
 * is APP_DRAINING. app and access live until http_stop. CAM_E_IO names address and reason. */
cam_code http_start(struct app *app, const struct access *access, http_side side, struct http **out,
                    cam_error *error);
const struct listener *http_listener(const struct http *http); /* the address and port it got */
/* Ends all connections and threads. No job may be in the queue or with a worker. NULL is allowed.
 */
void http_stop(struct http *http);

#endif
