/*
 * shard.sidecar (SQPC, version 8): the interior pages of a shard's b-trees, and where its overflow chains lie, in one small
 * object, so that a lookup by range requests needs no request to find its leaf. It is what range reads and the writer are
 * made with; a shard that is read whole needs none. Pure, read-only after parsing: any number of threads.
 *
 * A sidecar is a convenience: whatever is wrong with it, a reader goes without. The bytes are hostile until proven otherwise:
 * parsing checks every rule of the format, so that the lookups below can not fail.
 */
#ifndef SHF_FORMATS_SIDECAR_H
#define SHF_FORMATS_SIDECAR_H

#include "base/error.h"
#include "base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHF_SIDECAR_TAG_BYTES 255u

/* What stands before the compressed part. Enough to tell what the rest will cost, and of which object it speaks. */
struct shf_sidecar_prefix {
    uint32_t page_size;                  /* power of two, 512..65536 */
    uint64_t body_size;                  /* bytes that parsing allocates, 1..SHF_LIMIT_SIDECAR_BODY_BYTES */
    char tag[SHF_SIDECAR_TAG_BYTES + 1]; /* ETag of shard.db with its quotes; "" = unknown: it must not be used then */
    size_t frame_offset;                 /* of the zstd frame, which takes the rest */
};

/* SHF_E_CORRUPT, SHF_E_LIMIT. data may be the beginning of a sidecar (18 + SHF_SIDECAR_TAG_BYTES bytes are enough). */
shf_status shf_sidecar_prefix_parse(const void *data, size_t size, struct shf_sidecar_prefix *out,
                                    struct shf_error **error);

struct shf_sidecar {
    struct shf_sidecar_prefix prefix;
    uint32_t page_count, chain_count;
    uint32_t last_page;   /* highest page number in it, those of the chains too */
    uint32_t chain_pages; /* pages of all chains */
    /* Within body, little-endian: */
    uint8_t *body;
    const uint8_t *page_numbers, *page_offsets, *chain_heads, *chain_offsets, *chain_numbers, *pages;
};

/*
 * Decompresses and checks the whole. SHF_E_CORRUPT when anything contradicts the format, SHF_E_LIMIT when it is too large
 * or declares more than 1,000 times what it has, SHF_E_NO_MEMORY.
 */
shf_status shf_sidecar_parse(const void *data, size_t size, struct shf_sidecar **out, struct shf_error **error);
void shf_sidecar_free(struct shf_sidecar *sidecar); /* NULL is fine */

/* That it is of this object: its tag is this ETag (quotes included), and not empty. */
bool shf_sidecar_is_of(const struct shf_sidecar *sidecar, const char *etag);
/* That it may be of a database of these measures. SHF_E_CORRUPT. */
shf_status shf_sidecar_check_pages(const struct shf_sidecar *sidecar, uint32_t page_size, uint32_t page_count,
                                   struct shf_error **error);

/* A stored page: what lies between the cell pointers and the first cell is left out. A view, as long as the sidecar. */
struct shf_sidecar_page {
    uint32_t number, page_size;
    const uint8_t *stored;
    uint32_t stored_size;
    uint32_t gap_begin, gap_end; /* offsets in the page; equal = nothing was left out */
};
/* False: the page is not in the sidecar. */
bool shf_sidecar_page_find(const struct shf_sidecar *sidecar, uint32_t number, struct shf_sidecar_page *out);
void shf_sidecar_page_at(const struct shf_sidecar *sidecar, uint32_t index, struct shf_sidecar_page *out);

/* Address of the bytes [offset, offset+size) of the page; NULL when some are in the gap or beyond the page. */
const uint8_t *shf_sidecar_page_bytes(const struct shf_sidecar_page *page, uint32_t offset, uint32_t size);
/* The page as in the file, zeros in the gap: page_size bytes. */
void shf_sidecar_page_rebuild(const struct shf_sidecar_page *page, uint8_t *out);

/* The pages of an overflow chain in order, the first (head) included. A view, as long as the sidecar. */
struct shf_sidecar_chain {
    const uint8_t *numbers; /* little-endian */
    uint32_t count;
};
/* False: no chain begins at this page. */
bool shf_sidecar_chain_find(const struct shf_sidecar *sidecar, uint32_t head, struct shf_sidecar_chain *out);
void shf_sidecar_chain_at(const struct shf_sidecar *sidecar, uint32_t index, struct shf_sidecar_chain *out);
uint32_t shf_sidecar_chain_page(const struct shf_sidecar_chain *chain, uint32_t index);

#endif
