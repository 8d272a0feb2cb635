/* main.c - runs every suite that the Makefile found (SUITES: X(name) for each
 * tests/unit/test_name.c). Arguments: names of suites to run alone. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#define X(name) Suite *name##_suite(void);
SUITES
#undef X

int main(int argc, char **argv) {
  setenv("CK_DEFAULT_TIMEOUT", "300",
         0); /* seconds: for what hangs, not for what waits its turn on a machine that is busy */
  static const struct {
    const char *name;
    Suite *(*make)(void);
  } suites[] = {
#define X(name) {#name, name##_suite},
      SUITES
#undef X
  };
  SRunner *runner = srunner_create(NULL);
  for (unsigned i = 0; i < sizeof suites / sizeof *suites; i++) {
    int wanted = argc < 2;
    for (int a = 1; a < argc; a++)
      wanted |= !strcmp(argv[a], suites[i].name);
    if (wanted)
      srunner_add_suite(runner, suites[i].make());
  }
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner), ran = srunner_ntests_run(runner);
  srunner_free(runner);
  return failed || !ran ? EXIT_FAILURE : EXIT_SUCCESS;
}
