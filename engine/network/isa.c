/* isa.c - which tables of kernels this CPU can run: one of floats, one of int8. Flow: start ->
 * [isa] -> network. Any thread. */
#include "kernels.h"
#include "kernels_int8.h"
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#if defined __x86_64__
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined __aarch64__
#include <sys/auxv.h>
#endif

#if defined __x86_64__
static bool has_v3(void) { return __builtin_cpu_supports("x86-64-v3"); }
static bool has_v4(void) { return __builtin_cpu_supports("x86-64-v4"); }
static bool has_avx_vnni(void) { return has_v3() && __builtin_cpu_supports("avxvnni"); }
static bool has_avx512_vnni(void) { return has_v4() && __builtin_cpu_supports("avx512vnni"); }
static bool has_avx512_vbmi(void) {
  return has_avx512_vnni() && __builtin_cpu_supports("avx512vbmi");
}

/* AMX's tiles are large: Linux gives them to a process that asks, and its threads. It is asked
 * once: a process that has confined itself may not ask any more, and keeps what it has. */
static bool amx_granted;
static void ask_for_amx(void) {
  enum { REQUEST = 0x1023 /* ARCH_REQ_XCOMP_PERM */, TILE_DATA = 18 };
  amx_granted = __builtin_cpu_supports("amx-tile") && __builtin_cpu_supports("amx-int8") &&
                !syscall(SYS_arch_prctl, REQUEST, TILE_DATA);
}
static bool has_amx(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, ask_for_amx);
  return amx_granted && has_avx512_vbmi();
}
#elif defined __aarch64__
static bool has_dotprod(void) { return getauxval(AT_HWCAP) & HWCAP_ASIMDDP; }
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
enum { N_CHOICES = sizeof choices / sizeof *choices };

/* Each under the lowest of `choices` that its instructions may be used under. */
static const struct {
  const kernels_int8 *table;
  bool (*had)(void);
  const char *ceiling;
} int8_choices[] = {
/* best first */
#if defined __x86_64__
    {&kernels_int8_amx_int8, has_amx, "x86-64-v4"},
    {&kernels_int8_avx512_vbmi, has_avx512_vbmi, "x86-64-v4"},
    {&kernels_int8_avx512_vnni, has_avx512_vnni, "x86-64-v4"},
    {&kernels_int8_avx_vnni, has_avx_vnni, "x86-64-v3"},
    {&kernels_int8_x86_64_v4, has_v4, "x86-64-v4"},
    {&kernels_int8_x86_64_v3, has_v3, "x86-64-v3"},
#elif defined __aarch64__
    {&kernels_int8_dotprod, has_dotprod, "portable"},
#endif
    {&kernels_int8_portable, always, "portable"},
};
enum { N_INT8_CHOICES = sizeof int8_choices / sizeof *int8_choices };

cam_code kernels_select(const char *isa, const kernels **out, cam_error *error) {
  bool named = isa && *isa, known = false;
  char names[80] = "";
  const char *comma = "";
  for (int i = 0; i < N_CHOICES; i++) {
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

/* The place of a word in `choices`; N_CHOICES: it is none. */
static int height_of_ceiling(const char *word) {
  int i = 0;
  while (i < N_CHOICES && strcmp(word, choices[i].table->isa))
    i++;
  return i;
}

cam_code kernels_int8_select(const char *isa, const kernels_int8 **out, cam_error *error) {
  const bool named = isa && *isa;
  if (named && height_of_ceiling(isa) == N_CHOICES)
    return cam_fail(error, CAM_E_PARAMETER, "isa: \"%.40s\" is unknown", isa);
  for (int i = 0; i < N_INT8_CHOICES; i++) {
    if (named && height_of_ceiling(int8_choices[i].ceiling) < height_of_ceiling(isa))
      continue;
    if (!int8_choices[i].had())
      continue;
    *out = int8_choices[i].table;
    return CAM_OK;
  }
  return cam_fail(error, CAM_E_INTERNAL, "no kernels"); /* the portable ones are always had */
}

const kernels_int8 *kernels_int8_had(int i) {
  for (int k = 0; k < N_INT8_CHOICES; k++)
    if (int8_choices[k].had() && i-- == 0)
      return int8_choices[k].table;
  return NULL;
}
