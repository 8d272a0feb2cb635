/* suggest.h - the word that was meant, of those that there are. Implemented in
 * server/cli/suggest.c. Thread: main. */
#ifndef SUGGEST_H
#define SUGGEST_H
#include <stddef.h>

enum { SUGGEST_MAX = 48 }; /* characters; longer words are like none */

typedef struct suggestion {
  char typed[SUGGEST_MAX + 1], best[SUGGEST_MAX + 1];
  int distance; /* of best */
} suggestion;

void suggest_begin(suggestion *meant, const char *typed, size_t n);
void suggest_try(suggestion *meant, const char *word);
/* "did you mean WORD? ", or "" where none is near; out is returned. */
const char *suggest_words(const suggestion *meant, char out[SUGGEST_MAX + 20]);

/* Letters to insert, leave out, exchange, or swap with their neighbour (each once) on the way from
 * a to b: the restricted Damerau-Levenshtein distance. Both have at most SUGGEST_MAX. */
int suggest_distance(const char *a, const char *b);

#endif
