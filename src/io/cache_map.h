/* Writing a cache file through a mapping, for content that is computed in place. Workers only. */
#ifndef SHF_IO_CACHE_MAP_H
#define SHF_IO_CACHE_MAP_H

#include "io/disk_cache.h"

/* Gives the writer's file `size` bytes, reserved on the disk (so that a full disk is an error here, not a signal later), and maps them for writing. SHF_E_LOCAL. */
shf_status shf_cache_writer_map(struct shf_cache_writer *writer, uint64_t size, uint8_t **bytes,
                                struct shf_error **error);
void shf_cache_writer_unmap(uint8_t *bytes, uint64_t size);

#endif
