/* suggest.c - suggest.h. */
#include "suggest.h"
#include "cam_minmax.h"
#include <stdio.h>
#include <string.h>

int suggest_distance(const char *a, const char *b) {
  const int n = (int)strlen(a), m = (int)strlen(b);
  int steps[SUGGEST_MAX + 1][SUGGEST_MAX + 1]; /* [i][j]: from a[0..i) to b[0..j) */
  for (int i = 0; i <= n; i++)
    for (int j = 0; j <= m; j++) {
      if (!i || !j) {
        steps[i][j] = i + j;
        continue;
      }
      const int same = a[i - 1] == b[j - 1];
      steps[i][j] = min_int(min_int(steps[i - 1][j], steps[i][j - 1]) + 1,
                            steps[i - 1][j - 1] + !same);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        steps[i][j] = min_int(steps[i][j], steps[i - 2][j - 2] + 1);
    }
  return steps[n][m];
}

void suggest_begin(suggestion *meant, const char *typed, size_t n) {
  meant->typed[0] = meant->best[0] = '\0';
  if (n <= SUGGEST_MAX)
    snprintf(meant->typed, sizeof meant->typed, "%.*s", (int)n, typed);
  meant->distance = max_int(1, (int)strspn(meant->typed, "-"));
  meant->distance = ((int)n - meant->distance) / 3 + 2; /* as near as this is too far */
}

void suggest_try(suggestion *meant, const char *word) {
  const size_t n = strlen(meant->typed);
  if (n < 3 || strlen(word) > SUGGEST_MAX)
    return;
  int distance = suggest_distance(meant->typed, word);
  if (n >= 5 && !strncmp(word, meant->typed, n))
    distance = min_int(distance, 2); /* how it begins */
  if (distance >= meant->distance)
    return;
  meant->distance = distance;
  strcpy(meant->best, word);
}

const char *suggest_words(const suggestion *meant, char out[SUGGEST_MAX + 20]) {
  out[0] = '\0';
  if (*meant->best)
    snprintf(out, SUGGEST_MAX + 20, "did you mean %s? ", meant->best);
  return out;
}
