/* archive.c - see archive.h. An `archive` is a libzip archive under another name. */
#include "archive.h"
#include <string.h>
#include <zip.h>

#define ZIP(handle) ((zip_t *)(void *)(handle))

cam_code archive_open(const uint8_t *bytes, size_t n, archive **out, cam_error *error) {
  zip_error_t why;
  zip_error_init(&why);
  cam_code code = CAM_OK;
  zip_t *zip = NULL;
  zip_source_t *source = zip_source_buffer_create(bytes, n, 0, &why);
  if (source) /* without ZIP_CHECKCONS: PyTorch pads local headers */
    zip = zip_open_from_source(source, ZIP_RDONLY, &why);
  if (!zip) {
    code = cam_fail(error, CAM_E_WEIGHTS, "zip: %s", zip_error_strerror(&why));
    zip_source_free(source);
  }
  zip_error_fini(&why);
  *out = (archive *)(void *)zip;
  return code;
}

void archive_close(archive *zip) {
  if (zip)
    zip_discard(ZIP(zip));
}

cam_code archive_folder_of(archive *zip, arena *from, const char *name, const char **folder,
                           cam_error *error) {
  const zip_int64_t entries = zip_get_num_entries(ZIP(zip), 0);
  const size_t tail = strlen(name);
  for (zip_int64_t i = 0; i < entries; i++) {
    const char *entry = zip_get_name(ZIP(zip), (zip_uint64_t)i, 0);
    if (!entry || strlen(entry) < tail)
      continue;
    const size_t n = strlen(entry);
    if (strcmp(entry + n - tail, name) || (n > tail && entry[n - tail - 1] != '/'))
      continue;
    char *copy = arena_alloc(from, n - tail + 1);
    if (!copy)
      return cam_fail(error, CAM_E_NO_MEMORY, "no memory for names");
    memcpy(copy, entry, n - tail);
    *folder = copy;
    return CAM_OK;
  }
  return cam_fail(error, CAM_E_WEIGHTS, "zip: no entry is named %s", name);
}

bool archive_has(archive *zip, const char *name) { return zip_name_locate(ZIP(zip), name, 0) >= 0; }

/* Exactly n bytes of an entry. False if they are not there or damaged: libzip compares the checksum
 * where it finds the end, so one byte more is asked for. */
static bool inflate_entry(zip_t *zip, const char *name, uint8_t *bytes, zip_uint64_t n) {
  zip_file_t *file = zip_fopen(zip, name, 0);
  if (!file)
    return false;
  uint8_t more;
  const zip_int64_t got = zip_fread(file, bytes, n);
  const bool whole = got >= 0 && (zip_uint64_t)got == n && zip_fread(file, &more, 1) == 0;
  zip_fclose(file);
  return whole;
}

cam_code archive_read(archive *zip, arena *from, const char *name, const uint8_t **out, size_t *n,
                      cam_error *error) {
  zip_stat_t about;
  if (zip_stat(ZIP(zip), name, 0, &about) || !(about.valid & ZIP_STAT_SIZE))
    return cam_fail(error, CAM_E_WEIGHTS, "zip: no entry '%.100s'", name);
  uint8_t *bytes = NULL;
  if (about.size <= SIZE_MAX)
    bytes = arena_alloc(from, (size_t)about.size);
  if (!bytes)
    return cam_fail(
        error, CAM_E_WEIGHTS,
        "zip: entry '%.60s' of %llu bytes is more than is allowed for a file of this size", name,
        (unsigned long long)about.size);
  if (!inflate_entry(ZIP(zip), name, bytes, about.size))
    return cam_fail(error, CAM_E_WEIGHTS, "zip: entry '%.100s' cannot be read", name);
  *out = bytes;
  *n = (size_t)about.size;
  return CAM_OK;
}
