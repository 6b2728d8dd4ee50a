/* Read-only mappings as reference-counted buffers. */
#ifndef SHF_IO_MAPPED_FILE_H
#define SHF_IO_MAPPED_FILE_H

#include "io/disk_cache.h"

/*
 * Maps `size` > 0 bytes of fd. Takes fd in any case. cache NULL: fd is closed at once, a mapping needs none. Else fd, with the
 * shared lock on it, and a reference to the cache are held until the last release of the buffer.
 */
shf_status shf_mapped_file_new(shf_runtime *runtime, struct shf_disk_cache *cache, int fd, uint64_t size,
                               const char *name, struct shf_mapped_file *out, struct shf_error **error);

#endif
