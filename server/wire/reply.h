/* reply.h - finished tasks -> the JSON of POST /cam and of `camserve explain --json`. The result
 * struct meets the wire here. Thread: worker. */
#ifndef REPLY_H
#define REPLY_H
#include "cam_engine.h"
#include "cam_json.h"

typedef struct reply_timing {
  double queue_ms, total_ms, stage_ms[CAM_STAGE_COUNT];
} reply_timing;

/* as_list false: the bare object of one task that succeeded; true:
 * {"request_id","model","results":[...],"timing_ms"}, where a task that failed is
 * {"error": problem}. For free(); NULL: no
 * memory. *n: length. */
char *reply_text(const cam_model_info *model, const char *request_id, const cam_task *tasks,
                 int n_tasks, bool as_list, const reply_timing *timing, bool compact, size_t *n);

/* The predictions of a task that succeeded, as in reply_text, into an array. */
void reply_add_predictions(json *list, const cam_model_info *model, const cam_task *task);

/* One photo of many: {"file", image ...} or {"file", "error": problem}; file NULL: without that
 * member. timing not NULL: the object stands alone (a line of `camserve explain --jsonl`), and has
 * "request_id", "model" and "timing_ms", too, where the photo did not fail. For free(); NULL: no
 * memory. *n: length. */
char *reply_item_text(const cam_model_info *model, const char *file, const char *request_id,
                      const cam_task *task, const reply_timing *timing, size_t *n);

/* The compact list in pieces, for lists too long to be held at once: head, items with commas
 * between them, tail. Without "file" they are the bytes of reply_text. False: no memory or a write
 * failed. */
bool reply_list_head(FILE *out, const cam_model_info *model, const char *request_id);
bool reply_list_tail(FILE *out, const reply_timing *timing);

#endif
