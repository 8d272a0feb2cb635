/* room.h - how much may be in here at once. The one place that says 429 (for the moment there is no
 * room, come back: CAM_E_BUSY in the queue, CAM_E_ROOM in memory) and what is larger than any
 * request may be (CAM_E_TOO_LARGE, CAM_E_REPLY: it never fits). Every caller passes the error on as
 * it is. What is counted here is given back by room_leave. Implemented in server/work/room.c.
 * Thread: the job's owner.
 *
 *   of a request      limit of one        limit of all together
 *   waiting           -                   queue
 *   its body          max_body_bytes      bodies_bytes
 *   its answer        max_reply_bytes     replies_bytes
 *   its way           work_bytes          work_bytes: space.h, where large ones wait for each other
 */
#ifndef ROOM_H
#define ROOM_H
#include "job.h"

/* At the headers: may this request wait, at present? CAM_E_BUSY. */
cam_code room_to_wait(const struct job *job, cam_error *error);
/* At the headers: may a body be of so many bytes? CAM_E_TOO_LARGE. */
cam_code room_for_length(const struct job *job, uint64_t bytes, cam_error *error);

/* Takes n more bytes of the body. CAM_E_TOO_LARGE, CAM_E_ROOM or CAM_E_NO_MEMORY: nothing of the
 * body is kept. */
cam_code room_add_body(struct job *job, const void *bytes, size_t n, cam_error *error);
void room_drop_body(struct job *job); /* frees it before the job ends */
/* What was read out of the body, n bytes for free(), takes its place, and is counted in its place.
 */
void room_replace_body(struct job *job, uint8_t *bytes, size_t n);

/* Into the queue. CAM_OK: it owns the job. CAM_E_BUSY: it is full, CAM_E_NOT_READY: it is closed;
 * job->error says so, and the job is still yours. */
cam_code room_enqueue(struct job *job);

/* Before an answer is computed, takes what it can have at most: bytes of pictures, and of what
 * stands around them. CAM_E_REPLY: that is more than max_reply_bytes or replies_bytes. CAM_E_ROOM:
 * there is no room now. Either is in job->error. */
cam_code room_take_reply(struct job *job, uint64_t pictures, uint64_t text);
/* When it is made: what job->response has in place of what it might have had. CAM_E_REPLY in
 * job->error where that is more than one may have all the same. */
void room_settle_reply(struct job *job);

/* The job ends: all that was counted of it is given back, its body is freed. */
void room_leave(struct job *job);

#endif
