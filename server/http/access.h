/* access.h - who may reach the service, and how: what the HTTP side asks before it lets anyone in.
 * Opened and closed by service.c; each member may be NULL. Any thread: keys and certificate are
 * exchanged as a whole, while requests go on. */
#ifndef ACCESS_H
#define ACCESS_H

struct access {
  struct keys *keys;       /* NULL: no key is asked for */
  struct tls *tls;         /* NULL: plain HTTP */
  struct cors *cors;       /* NULL: no page of another site may call */
  struct proxies *proxies; /* NULL: no proxy is trusted */
};

#endif
