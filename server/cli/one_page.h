/* one_page.h - a page that is one file, opens from the disk and asks nobody for anything: a text of
 * static/ whose {{words}} stand for the rest. {{style}}: styles, joined. {{script}}: modules joined
 * to one script, for those of one file cannot import each other. {{policy}}: a
 * Content-Security-Policy that runs that script and nothing else. {{about}}: JSON of the page as a
 * whole. {{photos}}: what is written between begin and end. Implemented in server/cli/one_page.c.
 * Thread: one at a time. */
#ifndef ONE_PAGE_H
#define ONE_PAGE_H
#include <stdbool.h>
#include <stdio.h>

enum { ONE_PAGE_FILES = 12 };

/* Files by their paths below static/; NULL ends a list. */
typedef struct one_page {
  const char *text;
  const char *styles[ONE_PAGE_FILES];
  const char *scripts[ONE_PAGE_FILES]; /* modules, each after those that it imports */
} one_page;

/* Prints all before the photos; what cannot be written, ferror tells. about: JSON, not yet escaped;
 * NULL: there was no memory for it. False: no memory. */
bool one_page_begin(FILE *out, const one_page *page, const char *about);
/* Prints all behind them. */
void one_page_end(FILE *out, const one_page *page);

/* JSON for a place within <script>: no "<" is left in it. For free(); NULL: text is, or no memory.
 */
char *one_page_escape(const char *text);

#endif
