/* http.h - the HTTP side of the service over libmicrohttpd, which only server/http.c names. */
#ifndef HTTP_H
#define HTTP_H
#include "app.h"
#include "listener.h"

struct http;

/* Listens on config->host and port and starts the HTTP threads; requests come in at once,
 * new connections until app->phase is APP_DRAINING. CAM_E_IO names address and reason. */
cam_code http_start(struct app *app, struct http **out, cam_error *error);
const struct listener *http_listener(const struct http *http); /* the address and port it got */
/* Ends all connections and threads. No job may be in the queue or with a worker. NULL is allowed. */
void http_stop(struct http *http);

#endif
