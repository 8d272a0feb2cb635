/* isa.c - which table of kernels this CPU can run. Flow: start -> [isa] -> network. Any thread. */
#include "kernels.h"
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#if defined __x86_64__
static bool has_v3(void) { return __builtin_cpu_supports("x86-64-v3"); }
static bool has_v4(void) { return __builtin_cpu_supports("x86-64-v4"); }
#endif
static bool always(void) { return true; }

static const struct {
  const kernels *table;
  bool (*had)(void);
} choices[] = {
/* best first */
#if defined __x86_64__
    {&kernels_x86_64_v4, has_v4},
    {&kernels_x86_64_v3, has_v3},
#endif
    {&kernels_portable, always},
};

cam_code kernels_select(const char *isa, const kernels **out, cam_error *error) {
  bool named = isa && *isa, known = false;
  char names[80] = "";
  const char *comma = "";
  for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
    const kernels *table = choices[i].table;
    snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", comma, table->isa);
    comma = ", ";
    if (named && strcmp(isa, table->isa))
      continue;
    known = true;
    if (!choices[i].had())
      continue;
    *out = table;
    return CAM_OK;
  }
  if (known)
    return cam_fail(error, CAM_E_PARAMETER, "isa: this CPU does not have %.40s", isa);
  return cam_fail(error, CAM_E_PARAMETER, "isa: \"%.40s\" is unknown; this build has %s", isa,
                  names);
}
