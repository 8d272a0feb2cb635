/* shown_name.h - names that other people gave, for a terminal: no control character reaches it, and
 * columns stand below each other. Implemented in server/cli/shown_name.c. Thread: any. */
#ifndef SHOWN_NAME_H
#define SHOWN_NAME_H

enum { SHOWN_NAME_COLUMNS = 32, SHOWN_NAME_MAX = 4 * SHOWN_NAME_COLUMNS + 1 };

/* Of a text in UTF-8 as many characters as fit into SHOWN_NAME_COLUMNS, control characters and
 * bytes that are no UTF-8 as "?". Returns out. */
const char *shown_name(const char *text, char out[SHOWN_NAME_MAX]);
/* Characters of a shown name. */
int shown_name_columns(const char *shown);

#endif
