/*
 * Making a shard.sidecar (SQPC, version 8; see sidecar.h) from a finished shard.db. Streams: memory does not grow with the
 * shard. Pure.
 */
#ifndef SHF_FORMATS_SIDECAR_BUILD_H
#define SHF_FORMATS_SIDECAR_BUILD_H

#include "formats/shard_build.h"

struct shf_byte_sink {
    shf_status (*write)(struct shf_byte_sink *sink, const void *data, size_t size, struct shf_error **error);
};

/*
 * data: the whole shard.db (mapped). tag: its ETag with the quotes, at most SHF_SIDECAR_TAG_BYTES (longer: written as
 * unknown); NULL or "" = unknown. SHF_E_LIMIT when its body would be longer than SHF_LIMIT_SIDECAR_BODY_BYTES: a shard does
 * without then. The same input gives the same bytes.
 */
shf_status shf_sidecar_build(const uint8_t *data, uint64_t size, const struct shf_shard_pages *pages, const char *tag,
                             struct shf_byte_sink *sink, struct shf_error **error);

#endif
