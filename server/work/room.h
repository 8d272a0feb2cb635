/* room.h - how much may be in here at once. The one place that says 429 (for the moment there is no
 * room, come back: CAM_E_BUSY in the queue, CAM_E_ROOM in memory) and what is larger than any
 * request may be (CAM_E_TOO_LARGE, CAM_E_REPLY: it never fits). Every caller passes the error on as
 * it is. What is counted here is given back by room_leave. Implemented in server/work/room.c.
 * Thread: the job's owner.
 *
 *   of a request      limit of one        limit of all together
 *   waiting           -                   queue
 *   its body          max_body_bytes      bodies_bytes
 *   its answer        max_reply_bytes     replies_bytes */
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

/* Into the queue. CAM_OK: it owns the job. CAM_E_BUSY: it is full, CAM_E_NOT_READY: it is closed;
 * job->error says so, and the job is still yours. */
cam_code room_enqueue(struct job *job);

/* Before an answer is computed: may it have so many bytes, and is there any room for one?
 * CAM_E_REPLY, CAM_E_ROOM. */
cam_code room_for_reply(const struct job *job, uint64_t bytes, cam_error *error);
/* Counts the bytes of job->response. CAM_E_REPLY, CAM_E_ROOM: they are not counted. */
cam_code room_count_reply(struct job *job, cam_error *error);

/* The job ends: all that was counted of it is given back, its body is freed. */
void room_leave(struct job *job);

#endif
