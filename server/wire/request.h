/* request.h - a body of POST /cam as it came -> photos and parameters. Implemented in
 * server/wire/request.c. Thread: worker; touches only its arguments. */
#ifndef REQUEST_H
#define REQUEST_H
#include "params.h"
#include "request_photos.h"

/* Reads body[0..n) as its Content-Type says: multipart/form-data, application/json, else (also
 * NULL) it is one photo; JSON, a form or base64 under such a type is CAM_E_FORMAT, and the detail
 * says what to send. In a form, what browsers add of their own accord is passed over: _charset_,
 * the button (submit, button, upload), a file input that was left empty. The photos point into the
 * body or into photos->decoded; parameters are set in params, not resolved. Always needs
 * request_photos_free. Errors name the field. */
cam_code request_read(const char *content_type, const uint8_t *body, size_t n,
                      request_params *params, request_photos *photos, cam_error *error);

#endif
