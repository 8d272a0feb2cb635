/* walk.h - a folder -> the photos below it, one after another, in the order of their paths' bytes
 * (that of `find -L FOLDER | LC_ALL=C sort`). Photos are known by the endings of their names; those
 * of camserve's own pictures (NAME.cam.png) are none, nor is what begins with a point. Links are
 * followed; a folder within itself is passed over. Only the names of the folders on the way are in
 * memory. Implemented in server/cli/walk.c. Thread: one at a time. */
#ifndef WALK_H
#define WALK_H
#include "cam_error.h"
#include "passed_over.h"
#include <stdbool.h>
#include <stddef.h>

struct walk;

/* Begins. NULL: no memory. */
struct walk *walk_open(const char *folder);
/* The next photo's path, or a folder's that cannot be read, which error then says; borrowed until
 * the next call. NULL: there are no more, or (error) no memory. *below: where in the path what is
 * below the folder begins. */
const char *walk_next(struct walk *walk, size_t *below, cam_error *error);
/* What it has passed over so far: files, but none whose name begins with a point, and none of
 * camserve's own. Until walk_close. */
passed_over *walk_passed(struct walk *walk);
void walk_close(struct walk *walk); /* NULL is allowed */

bool walk_is_folder(const char *path);
/* By its name alone: "a/cat.JPG"; one of camserve's own pictures: "a/cat.cam.jpg". */
bool walk_is_photo(const char *name);
bool walk_is_own(const char *name);
/* Calls visit for each ending of a photo, "jpeg", until it returns true; whether one did. */
bool walk_any_ending(bool (*visit)(void *closure, const char *ending), void *closure);

#endif
