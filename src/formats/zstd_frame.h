/*
 * Unpacking what foreign data holds as zstd, within limits: the size that its container declares, SHF_LIMIT_ZSTD_RATIO times
 * the bytes that are there, a window of SHF_LIMIT_ZSTD_WINDOW_BYTES. Pure.
 */
#ifndef SHF_FORMATS_ZSTD_FRAME_H
#define SHF_FORMATS_ZSTD_FRAME_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * frame is one zstd frame and nothing else, whose content has content_size bytes. *out: the caller's to shf_free.
 * SHF_E_CORRUPT when it is anything else, has no checksum where one is needed, or fails its checksum; SHF_E_LIMIT (before
 * anything is allocated); SHF_E_NO_MEMORY. The messages want the name of the container before them.
 */
shf_status shf_zstd_frame_unpack(const uint8_t *frame, size_t size, uint64_t content_size, bool needs_checksum,
                                 uint8_t **out, struct shf_error **error);

/* The same for one value: without a checksum, and up to SHF_LIMIT_UNPACKED_FREELY_BYTES however small the frame is. */
shf_status shf_zstd_value_unpack(const uint8_t *frame, size_t size, uint64_t content_size, uint8_t **out,
                                 struct shf_error **error);

#endif
