/* accept.h - which of its forms an answer of POST /cam takes (RFC 9110 section 12.5.1). Implemented
 * in server/wire/accept.c. Any thread. */
#ifndef ACCEPT_H
#define ACCEPT_H
#include "cam_engine.h"

typedef enum accept_form { ACCEPT_JSON, ACCEPT_PICTURE, ACCEPT_NEITHER } accept_form;
typedef struct accepted {
  accept_form form;
  cam_picture picture; /* the one that is preferred */
  unsigned pictures;   /* bit 1 << p for each that may be given */
} accepted;

/* value: of the Accept header, NULL if there is none (then JSON). The form with the higher quality
 * wins; at equal quality the one that is named more exactly, else JSON before PNG before JPEG: with
 * "image/png, * / *" that is PNG. */
accepted accept_choose(const char *value);
/* "image/png"; static storage. */
const char *accept_picture_type(cam_picture picture);

#endif
