/* A file of a shard in the making: written in pages or as a stream, then mapped and hashed. Workers only. */
#ifndef SHF_WRITER_SHARD_FILE_H
#define SHF_WRITER_SHARD_FILE_H

#include "base/error.h"
#include "formats/shard_build.h"
#include "formats/sidecar_build.h"
#include "writer/scratch.h"

#include <openssl/evp.h>

struct shf_shard_file {
    struct shf_page_sink pages;
    struct shf_byte_sink bytes;
    const struct shf_scratch *scratch; /* borrowed */
    int fd;                            /* -1 = not open */
    char *name, *path;
    uint32_t page_size;
    bool stays;      /* it will be synced where it is, not uploaded */
    uint64_t unsent; /* bytes since the disk was asked to begin */
    uint64_t size;
    uint8_t *map; /* once mapped */
    EVP_MD_CTX *sha256;
    uint64_t hashed;
};

/* A new file `name` in the scratch directory. page_size for the page sink; the byte sink appends. SHF_E_LOCAL. */
shf_status shf_shard_file_open(struct shf_shard_file *file, const struct shf_scratch *scratch, const char *name,
                               uint32_t page_size, struct shf_error **error);
/* Maps what was written. SHF_E_LOCAL. */
shf_status shf_shard_file_map(struct shf_shard_file *file, struct shf_error **error);
/* Hashes a piece of the mapped file; *done when `out` is its SHA-256. */
shf_status shf_shard_file_hash(struct shf_shard_file *file, bool *done, uint8_t out[32], struct shf_error **error);
/* Removes it. */
void shf_shard_file_remove(struct shf_shard_file *file);

#endif
