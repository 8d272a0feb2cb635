/* job.c - a request's answer made of plain values. Flow: http -> [job] -> queue ->
 * worker -> http.   Thread: the job's owner. */
#include "job.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void drop_response_body(struct response *response) {
  if (response->owned)
    free(response->body);
}

void job_clear(struct job *job) {
  free(job->content_type);
  drop_response_body(&job->response);
}

void job_answer(struct job *job, int status, const char *type, char *body, size_t n, bool owned) {
  drop_response_body(&job->response);
  job->response = (struct response){
      .status = status, .type = type, .body = body, .n = n, .owned = owned};
}

void job_add_header(struct job *job, const char *name, const char *value) {
  struct response *response = &job->response;
  if (response->n_headers == RESPONSE_HEADERS || !value[strspn(value, " \t")])
    return;
  struct response_header *header = &response->headers[response->n_headers++];
  header->name = name;
  snprintf(header->value, sizeof header->value, "%s", value);
  for (char *c = header->value; *c; c++)
    if (*c < ' ' || *c > '~')
      *c = '?';
}
