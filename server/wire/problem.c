/* problem.c - camserve's error list -> HTTP statuses and problem documents (RFC 9457). The only
 * place where the two meet. Thread: any. "type" is "about:blank": its title is then the status
 * phrase (section 4.2.1), and a URI of ours would have nothing to resolve to; the stable name that
 * programs branch on is the member "code". */
#include "problem.h"

static const int statuses[CAM_CODES] = {
    [CAM_OK] = 200,
    [CAM_E_PARAMETER] = 400,
    [CAM_E_BODY] = 400,
    [CAM_E_UNAUTHORIZED] = 401,
    [CAM_E_NOT_FOUND] = 404,
    [CAM_E_METHOD] = 405,
    [CAM_E_NOT_ACCEPTABLE] = 406,
    [CAM_E_LENGTH] = 411,
    [CAM_E_TOO_LARGE] = 413,
    [CAM_E_HEADERS] = 431,
    [CAM_E_REPLY] = 422,
    [CAM_E_FORMAT] = 415,
    [CAM_E_PHOTO] = 422,
    [CAM_E_PIXELS] = 422,
    [CAM_E_BUDGET] = 422,
    [CAM_E_BUSY] = 429,
    [CAM_E_ROOM] = 429,
    [CAM_E_NOT_READY] = 503,
    [CAM_E_DEADLINE] = 503,
    [CAM_E_MODEL] = 500,
    [CAM_E_WEIGHTS] = 500,
    [CAM_E_IO] = 500,
    [CAM_E_NO_MEMORY] = 503,
    [CAM_E_INTERNAL] = 500,
};

/* RFC 9110 section 15, RFC 6585 section 4. */
static const struct {
  int status;
  const char *title;
} titles[] = {
    {200, "OK"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
};

int problem_status(cam_code code) { return (unsigned)code < CAM_CODES ? statuses[code] : 500; }

bool problem_passes(cam_code code) {
  return code == CAM_E_BUSY || code == CAM_E_ROOM || code == CAM_E_NOT_READY;
}

const char *problem_title(int status) {
  for (unsigned i = 0; i < sizeof titles / sizeof *titles; i++)
    if (titles[i].status == status)
      return titles[i].title;
  return "Unknown Status";
}

json *problem_tree(const cam_error *error, const char *request_id) {
  int status = problem_status(error->code);
  json *tree = json_new_object();
  json_add_text(tree, "type", "about:blank");
  json_add_text(tree, "title", problem_title(status));
  json_add_int(tree, "status", status);
  json_add_text(tree, "detail", error->detail[0] ? error->detail : cam_code_text(error->code));
  json_add_text(tree, "code", cam_code_name(error->code));
  json_add_text(tree, "request_id", request_id);
  if (error->stage)
    json_add_text(tree, "stage", error->stage);
  return tree;
}

char *problem_text(const cam_error *error, const char *request_id, size_t *n) {
  json *tree = problem_tree(error, request_id);
  char *text = json_print(tree, true, n);
  json_free(tree);
  return text;
}
