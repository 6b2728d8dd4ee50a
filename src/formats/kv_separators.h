/*
 * The keys that separate the leaves of a kv table, eight bytes each, in one array: a lookup finds its leaf with a search
 * in memory that is small enough to stay in the processor's cache, instead of a walk over interior pages. Derived from the
 * interior pages alone; no leaf is touched. 12 bytes a leaf. Immutable: any number of threads.
 *
 * It answers only where the walk would give the same answer whatever the pages hold: the prefixes ascend in the order of
 * the tree, and a probe whose prefix equals one of them is left to the walk.
 */
#ifndef SHF_FORMATS_KV_SEPARATORS_H
#define SHF_FORMATS_KV_SEPARATORS_H

#include "formats/kv.h"

#define SHF_KV_SHARED_BYTES 64u

struct shf_kv_separators {
    uint32_t count; /* of prefixes; leaves has one more */
    uint32_t skip;  /* bytes that all separators begin with, at most SHF_KV_SHARED_BYTES */
    uint8_t shared[SHF_KV_SHARED_BYTES];
    uint64_t bytes;     /* allocated */
    uint64_t *prefixes; /* the eight bytes after the shared ones, big-endian, short keys filled up with zeros; ascending */
    uint32_t *leaves; /* page numbers, left to right */
};

/*
 * Allocates; *out is the caller's to free. *out NULL with SHF_OK: they would not help (a tree without interior pages,
 * keys that are not told apart by eight bytes, more than max_bytes) or could not be trusted (order, types, depth).
 * SHF_E_NO_MEMORY.
 */
shf_status shf_kv_separators_build(const struct shf_kv *kv, uint64_t max_bytes, struct shf_kv_separators **out);
void shf_kv_separators_free(struct shf_kv_separators *separators); /* NULL is fine */

/* Where a key must be, if it is anywhere. */
struct shf_kv_place {
    uint32_t leaf;
    bool is_guessed;
    double share; /* is_guessed: of the leaf's rows so many are less, were the keys spread evenly; 0 to 1 */
};

/* The leaf where the walk for this key would end; false: walk. */
bool shf_kv_separators_find(const struct shf_kv_separators *separators, const void *key, size_t key_size,
                            struct shf_kv_place *place);

#endif
