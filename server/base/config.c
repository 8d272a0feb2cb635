/* config.c - settings from the table in config.h: defaults, file, environment. The one file that
 * names inih. Thread: main, before all others. */
#include "config.h"
#include "cam_minmax.h"
#include "whole.h"
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <inttypes.h>
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const setting config_settings[SETTING_COUNT] = {
#define NUMBER(field, fallback, low, high, what) \
  {.name = #field, \
   .kind = SETTING_NUMBER, \
   .offset = offsetof(config, field), \
   .number = fallback, \
   .least = low, \
   .most = high, \
   .meaning = what},
#define TEXT(field, fallback, what) \
  {.name = #field, \
   .kind = SETTING_TEXT, \
   .offset = offsetof(config, field), \
   .text = fallback, \
   .meaning = what},
#define WORD(field, fallback, list, what) \
  {.name = #field, \
   .kind = SETTING_WORD, \
   .offset = offsetof(config, field), \
   .text = fallback, \
   .words = list, \
   .meaning = what},
#define LIST(field, fallback, what) \
  {.name = #field, \
   .kind = SETTING_LIST, \
   .offset = offsetof(config, field), \
   .text = fallback, \
   .meaning = what},
    SETTINGS(NUMBER, TEXT, WORD, LIST)};

const setting *config_find(const char *name) {
  for (int i = 0; i < SETTING_COUNT; i++)
    if (!strcmp(config_settings[i].name, name))
      return &config_settings[i];
  return NULL;
}

static int64_t *number_of(config *settings, const setting *row) {
  return (int64_t *)((char *)settings + row->offset);
}
static const char **text_of(config *settings, const setting *row) {
  return (const char **)((char *)settings + row->offset);
}

/* prefix + name, each letter through change; cut at SETTING_NAME_MAX. */
static const char *make_name(const char *prefix, const char *name, int (*change)(int),
                             char out[SETTING_NAME_MAX]) {
  int n = snprintf(out, SETTING_NAME_MAX, "%s", prefix);
  for (; *name && n < SETTING_NAME_MAX - 1; name++)
    out[n++] = (char)change((unsigned char)*name);
  out[n] = '\0';
  return out;
}
static int to_hyphen(int c) { return c == '_' ? '-' : c; }
const char *config_environment_name(const char *name, char out[SETTING_NAME_MAX]) {
  return make_name("CAMSERVE_", name, toupper, out);
}
const char *config_flag_name(const char *name, char out[SETTING_NAME_MAX]) {
  return make_name("--", name, to_hyphen, out);
}

/* ---- one setting ---- */

static cam_code set_text(config *settings, const setting *row, const char *value,
                         cam_error *error) {
  char *copy = strdup(value);
  if (!copy)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for setting %s", row->name);
  const char **text = text_of(settings, row);
  free((char *)*text);
  *text = copy;
  return CAM_OK;
}

/* Whether value is one of words ("text|json"). */
static bool is_one_of(const char *words, const char *value) {
  size_t n = strlen(value);
  for (const char *word = words;; word++) {
    size_t length = strcspn(word, "|");
    if (length == n && !memcmp(word, value, n))
      return true;
    word += length;
    if (!*word)
      return false;
  }
}

cam_code config_set(config *settings, const setting *row, const char *value, const char *source,
                    cam_error *error) {
  switch (row->kind) {
  case SETTING_TEXT:
  case SETTING_LIST:
    return set_text(settings, row, value, error);
  case SETTING_WORD:
    if (is_one_of(row->words, value))
      return set_text(settings, row, value, error);
    return cam_fail(error, CAM_E_PARAMETER, "%s: \"%.24s\" (%.60s); allowed are %s", row->name,
                    value, source, row->words);
  case SETTING_NUMBER:
    if (whole_read(value, row->least, row->most, number_of(settings, row)))
      return CAM_OK;
    return cam_fail(error, CAM_E_PARAMETER,
                    "%s: \"%.24s\" (%.60s); allowed are whole numbers from %" PRId64 " to %" PRId64,
                    row->name, value, source, row->least, row->most);
  }
  return cam_fail(error, CAM_E_INTERNAL, "setting %s has no kind", row->name);
}

cam_code config_add(config *settings, const setting *row, const char *value, cam_error *error) {
  char *longer;
  if (asprintf(&longer, "%s,%s", *text_of(settings, row), value) < 0)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for setting %s", row->name);
  cam_code code = set_text(settings, row, longer, error);
  free(longer);
  return code;
}

/* ---- the file ---- */

typedef struct ini_state {
  config *settings;
  FILE *file;
  char path[48]; /* for errors: its end */
  int line;      /* the last one read */
  bool seen[SETTING_COUNT];
  cam_code code; /* of the first error: reading ends there */
  cam_error *error;
} ini_state;

static char *stop(ini_state *reading, const char *what) {
  reading->code = cam_fail(reading->error, CAM_E_PARAMETER, "%s:%d: %s", reading->path,
                           reading->line, what);
  return NULL;
}

/* inih's reader: counts lines, takes no leading blanks through (inih would join an indented line to
 * the one above) and refuses what inih would pass over in silence: a line longer than its buffer
 * and a section that is not ours. */
static char *read_line(char *line, int room, void *closure) {
  ini_state *reading = closure;
  if (reading->code || !fgets(line, room, reading->file))
    return NULL;
  reading->line++;
  size_t n = strlen(line);
  if ((!n || line[n - 1] != '\n') && !feof(reading->file))
    return stop(reading,
                "a line that is too long (allowed are 197 characters) or holds a NUL byte");
  size_t blanks = strspn(line, " \t");
  memmove(line, line + blanks, n + 1 - blanks);
  if (*line == '[' && strncmp(line, "[camserve]", 10))
    return stop(reading, "unknown section; the only one is [camserve], and it may be left out");
  return line;
}

static int take_value(void *closure, const char *section, const char *name, const char *value) {
  (void)section;
  ini_state *reading = closure;
  char source[64];
  snprintf(source, sizeof source, "%s:%d", reading->path, reading->line);
  const setting *row = config_find(name);
  if (!row) {
    reading->code = cam_fail(reading->error, CAM_E_PARAMETER,
                             "%s: unknown setting \"%.40s\"; `camserve help --ini` lists them all",
                             source, name);
    return 0;
  }
  bool *seen = &reading->seen[row - config_settings];
  if (*seen && row->kind == SETTING_LIST) {
    reading->code = config_add(reading->settings, row, value, reading->error);
    return !reading->code;
  }
  if (*seen) {
    stop(reading, "a setting that was given before");
    return 0;
  }
  *seen = true;
  reading->code = config_set(reading->settings, row, value, source, reading->error);
  return !reading->code;
}

static cam_code load_file(config *settings, const char *path, cam_error *error) {
  FILE *file = fopen(path, "re");
  if (!file)
    return cam_fail(error, CAM_E_IO, "configuration file %.80s: %s", path, strerror(errno));
  ini_state reading = {.settings = settings, .file = file, .error = error};
  size_t n = strlen(path);
  strcpy(reading.path, path + n - min_size(n, sizeof reading.path - 1));
  int bad_line = ini_parse_stream(read_line, &reading, take_value, &reading);
  if (ferror(file))
    reading.code = cam_fail(error, CAM_E_IO, "configuration file %.80s: %s", path, strerror(errno));
  else if (bad_line < 0)
    reading.code = cam_fail(error, CAM_E_NO_MEMORY, "no memory to read %s", reading.path);
  else if (bad_line && !reading.code)
    reading.code = cam_fail(error, CAM_E_PARAMETER, "%s:%d: not of the form name = value",
                            reading.path, bad_line);
  fclose(file);
  return reading.code;
}

/* ---- the environment ---- */

/* Whether "NAME=VALUE" is what Kubernetes sets in every container for a service called camserve, or
 * camserve-something (https://kubernetes.io/docs/tutorials/services/connect-applications-service/).
 */
static bool is_service_link(const char *variable) {
  regex_t links;
  if (regcomp(&links,
              "^CAMSERVE_([A-Z0-9_]+_)?(SERVICE_HOST=|SERVICE_PORT(_[A-Z0-9_]+)?=|"
              "PORT=(tcp|udp|sctp)://|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?=)",
              REG_EXTENDED | REG_NOSUB))
    return false; /* no memory */
  const bool found = !regexec(&links, variable, 0, NULL, 0);
  regfree(&links);
  return found;
}

/* NULL where it is not set, empty, or a service link. */
static const char *environment(const char *name) {
  const char *value = getenv(name);
  char variable[SETTING_NAME_MAX + 16];
  if (!value || !*value)
    return NULL;
  snprintf(variable, sizeof variable, "%s=%s", name, value);
  return is_service_link(variable) ? NULL : value;
}

cam_code config_take_platform_port(config *settings, cam_error *error) {
  const char *port = environment("PORT");
  if (!port || environment("CAMSERVE_PORT"))
    return CAM_OK;
  return config_set(settings, config_find("port"), port, "PORT", error);
}

/* Whether "NAME=VALUE" is a setting's, or names the file. */
static bool is_our_variable(const char *variable) {
  const size_t n = strcspn(variable, "=");
  char known[SETTING_NAME_MAX] = "CAMSERVE_CONFIG";
  for (int i = 0; strlen(known) != n || memcmp(known, variable, n); i++) {
    if (i == SETTING_COUNT)
      return false;
    config_environment_name(config_settings[i].name, known);
  }
  return true;
}

/* Adds " NAME" of "NAME=VALUE" to line[0..used), or " ..." where the line is full. What is used of
 * it then. */
static size_t append_name(char *line, size_t used, size_t room, const char *variable) {
  const int n = (int)strcspn(variable, "=");
  if (room - used < (size_t)n + sizeof " NAME ...") {
    snprintf(line + used, room - used, " ...");
    return used;
  }
  return used + (size_t)snprintf(line + used, room - used, " %.*s", n, variable);
}

void config_check_environment(void (*warn)(const char *line)) {
  char line[512] = "unknown variables in the environment:";
  size_t used = strlen(line);
  int links = 0, unknown = 0;
  for (char **variable = environ; *variable; variable++) {
    if (strncmp(*variable, "CAMSERVE_", strlen("CAMSERVE_")))
      continue;
    if (is_service_link(*variable)) {
      links++;
    } else if (!is_our_variable(*variable)) {
      used = append_name(line, used, sizeof line, *variable);
      unknown++;
    }
  }
  if (unknown)
    warn(line);
  if (!links)
    return;
  snprintf(line, sizeof line, "%d service links of Kubernetes in the environment are ignored",
           links);
  warn(line);
}

/* ---- all together ---- */

cam_code config_load(config *out, const char *file, cam_error *error) {
  cam_code code = CAM_OK;
  *out = (config){0};
  for (int i = 0; i < SETTING_COUNT && !code; i++) {
    const setting *row = &config_settings[i];
    if (row->kind == SETTING_NUMBER)
      *number_of(out, row) = row->number;
    else
      code = set_text(out, row, row->text, error);
  }
  if (!file)
    file = environment("CAMSERVE_CONFIG");
  if (!code && file)
    code = load_file(out, file, error);
  for (int i = 0; i < SETTING_COUNT && !code; i++) {
    char name[SETTING_NAME_MAX];
    const char *value = environment(config_environment_name(config_settings[i].name, name));
    if (value)
      code = config_set(out, &config_settings[i], value, name, error);
  }
  return code;
}

void config_free(config *settings) {
  for (int i = 0; i < SETTING_COUNT; i++) {
    if (config_settings[i].kind == SETTING_NUMBER)
      continue;
    const char **text = text_of(settings, &config_settings[i]);
    free((char *)*text);
    *text = NULL;
  }
}

int config_threads(const config *settings) {
  if (settings->threads)
    return (int)settings->threads;
  return min_int(cam_cpu_count(), 4);
}

cam_limits config_limits(const config *settings) {
  return (cam_limits){.max_pixels = settings->max_pixels,
                      .max_side = (int)settings->max_side,
                      .decode_bytes = (size_t)settings->decode_bytes,
                      .max_scans = (int)settings->max_scans,
                      .decode_ms = (int)settings->decode_ms};
}
