/* config.h - every setting, one table: the struct, defaults, ranges, flags (--max-body-bytes),
 * environment (CAMSERVE_MAX_BODY_BYTES), file keys (max_body_bytes), --help and docs/settings.md
 * all come from SETTINGS. Later wins: default, file, environment, flag. Implemented in
 * server/base/config.c; the flags are read by server/cli/cli.c, the texts for people are in
 * server/cli/cli_help.c. */
#ifndef CONFIG_H
#define CONFIG_H
#include "cam_engine.h"
#include <stddef.h>
#include <stdint.h>

/* X(kind, field, default, least, most, meaning) kind NUMBER: int64_t; TEXT: const char *, least and
 * most unused (words allowed: "a|b" in WORD); LIST: texts, comma separated, and given again for
 * each in a file or as a flag */
#define SETTINGS(NUMBER, TEXT, WORD, LIST) \
  TEXT(host, "127.0.0.1", "address to listen on; 0.0.0.0 for all") \
  NUMBER(port, 8080, 0, 65535, \
         "TCP port; 0: any free one (printed at start); " \
         "where it is not set, the variable PORT is looked at") \
  TEXT(admin_host, "127.0.0.1", "address of the admin port") \
  NUMBER(admin_port, -1, -1, 65535, \
         "TCP port of /metrics, /healthz, /readyz and /version alone; 0: any free one; -1: none, " \
         "the main port has them all") \
  LIST( \
      model, "models/efficientnet-lite0.safetensors", \
      "model file, or folder of *.safetensors; several to serve: comma separated, or given again " \
      "for each; the first answers where a request names none") \
  TEXT(model_name, "", \
       "what the first model is called, in place of its file's name for it; " \
       "empty: that") \
  NUMBER(teams, 0, 0, 64, \
         "worker teams, each serving one request at a time; 0: processors / threads") \
  NUMBER(threads, 0, 0, 64, "threads in a team; 0: as many as processors, at most 4") \
  NUMBER(queue, 64, 1, 65536, "requests that may wait; beyond it 429") \
  TEXT(isa, "", \
       "instruction set of the kernels: portable (SSE2 or NEON), x86-64-v3, x86-64-v4; empty: " \
       "the best this CPU has") \
  WORD(log, "text", "text|json", "form of the log on standard error") \
  WORD(seccomp, "auto", "auto|on|off", \
       "filter of system calls once it serves; auto: where the kernel has it; on: else it does " \
       "not start") \
  NUMBER(http_threads, 2, 1, 64, "threads that speak HTTP (they compute nothing)") \
  NUMBER(max_body_bytes, 20971520, 1024, 1073741824, "bytes of one request body") \
  NUMBER(bodies_bytes, 268435456, 1048576, 68719476736, \
         "bytes of all request bodies that are in memory at once; beyond it 429") \
  NUMBER(max_pixels, 64000000, 1, 1000000000, "width x height of one photo") \
  NUMBER(max_side, 32768, 1, 65535, "pixels of one side of a photo") \
  NUMBER(decode_bytes, 838860800, 1048576, 17179869184, \
         "memory one photo may take while it is decoded") \
  NUMBER(work_bytes, 1073741824, 16777216, 68719476736, \
         "memory that all photos being decoded and rendered may take; large ones wait for each " \
         "other, and what alone needs more is refused") \
  NUMBER(max_scans, 100, 1, 10000, "scans of a progressive JPEG") \
  NUMBER(decode_ms, 10000, 1, 3600000, "time in which a JPEG must be decoded") \
  NUMBER(max_photos, 8, 1, 8, "photos in one request") \
  NUMBER(max_reply_bytes, 268435456, 65536, 2000000000, \
         "bytes of one answer; what would be more is refused before it is computed") \
  NUMBER(replies_bytes, 402653184, 1048576, 68719476736, \
         "bytes of all answers that are in memory at once; beyond it 429") \
  NUMBER(max_headers, 64, 8, 1000, "header fields of one request") \
  NUMBER(max_header_bytes, 16384, 1024, 1048576, "bytes of a request's line and headers together") \
  NUMBER(request_deadline_ms, 30000, 100, 3600000, \
         "from the first header to the last stage; slower requests are closed or answered 503") \
  NUMBER(upload_bytes_per_s, 4096, 0, 1073741824, \
         "a body that comes more slowly is closed; 0: none is for that") \
  NUMBER(upload_grace_ms, 5000, 0, 3600000, \
         "how long a body may take before upload_bytes_per_s counts") \
  NUMBER(download_bytes_per_s, 32768, 1024, 1073741824, \
         "a client that reads its answer more slowly is cut off, after request_deadline_ms") \
  NUMBER(idle_timeout_s, 15, 1, 3600, \
         "a connection on which nothing moves within a request, or before its first, is closed") \
  NUMBER(keep_alive_s, 75, 1, 3600, "a connection on which no further request comes is closed") \
  NUMBER(connection_requests, 10000, 1, 1000000000, \
         "requests on one connection; the last answer says that it is closed") \
  NUMBER(connections, 1024, 1, 65536, "open connections in all") \
  NUMBER(connections_per_ip, 256, 1, 65536, "open connections of one address") \
  TEXT(trusted_proxies, "", \
       "addresses and networks of proxies, comma separated (10.0.0.0/8): whom they name in " \
       "X-Forwarded-For is the peer in the log, and connections_per_ip is not for them") \
  TEXT(tls_cert, "", \
       "PEM file of the certificate and those above it; with tls_key camserve speaks HTTPS; " \
       "empty: plain HTTP") \
  TEXT(tls_key, "", "PEM file of its private key, not encrypted") \
  TEXT(keys, "", "file of API keys, a line each: KEY or NAME KEY; empty: anyone may call") \
  TEXT(cors, "", \
       "origins whose pages may call, comma separated (https://example.org), or *; empty: none " \
       "but this server's own") \
  NUMBER(leave_ms, 0, 0, 3600000, \
         "after SIGTERM, how long /readyz says 503 while all is served, so that a balancer turns " \
         "away before connections are refused") \
  NUMBER(drain_ms, 10000, 0, 3600000, "after that, how long requests may take to finish")

typedef struct config {
#define NUMBER(field, fallback, least, most, meaning) int64_t field;
#define TEXT(field, fallback, meaning) const char *field;
#define WORD(field, fallback, words, meaning) const char *field;
#define LIST(field, fallback, meaning) const char *field;
  SETTINGS(NUMBER, TEXT, WORD, LIST)
#undef NUMBER
#undef TEXT
#undef WORD
#undef LIST
} config; /* texts are owned: config_free */

/* A row of SETTINGS as data. */
typedef struct setting {
  const char *name; /* "max_body_bytes" */
  enum { SETTING_NUMBER, SETTING_TEXT, SETTING_WORD, SETTING_LIST } kind;
  size_t offset;               /* of the field in config */
  int64_t number, least, most; /* default and range of a number */
  const char *text, *words;    /* default of a text or word; "text|json" */
  const char *meaning;
} setting;

#define ONE(...) +1
enum { SETTING_COUNT = SETTINGS(ONE, ONE, ONE, ONE), SETTING_NAME_MAX = 64 };
#undef ONE
extern const setting config_settings[SETTING_COUNT];

/* "CAMSERVE_MAX_BODY_BYTES", "--max-body-bytes" of "max_body_bytes"; out is returned. */
const char *config_environment_name(const char *name, char out[SETTING_NAME_MAX]);
const char *config_flag_name(const char *name, char out[SETTING_NAME_MAX]);

/* Row of SETTINGS by its name ("max_body_bytes"); NULL: there is none. */
const setting *config_find(const char *name);

/* Defaults < file < environment. file: the --config flag, or NULL for CAMSERVE_CONFIG, or for no
 * file where that is not set either. A variable that is set but empty counts as not set, and so
 * does a service link (CAMSERVE_PORT=tcp://10.0.0.1:80), by which Kubernetes tells every container
 * of a service called camserve. CAM_E_PARAMETER names the setting, the value, where it came from
 * and what is allowed; an unknown key or section of the file and a key given twice (but a list's)
 * are refused, by file and line; CAM_E_IO: the file cannot be read. *out needs config_free whatever
 * the code. */
cam_code config_load(config *out, const char *file, cam_error *error);
/* One setting as text; source ("--port", "camserve.ini:12") is for the error. Wins over what is
 * there. */
cam_code config_set(config *settings, const setting *row, const char *value, const char *source,
                    cam_error *error);
/* One more value of a list, behind those that are there. */
cam_code config_add(config *settings, const setting *row, const char *value, cam_error *error);
/* The port that the platform says (Knative, Cloud Run), where CAMSERVE_PORT is not set. */
cam_code config_take_platform_port(config *settings, cam_error *error);
void config_free(config *settings);

/* What the environment holds of ours that is no setting: a line for all service links, a line that
 * names the other variables, without their values; none where there is nothing to say. */
void config_check_environment(void (*warn)(const char *line));

/* What the settings ask of the engine: threads of a team, and what one photo may cost. */
int config_threads(const config *settings);
cam_limits config_limits(const config *settings);

#endif
