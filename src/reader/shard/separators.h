/* The separators of a shard's keys (formats/kv_separators.h): made by a worker once the shard has seen some lookups. */
#ifndef SHF_READER_SHARD_SEPARATORS_H
#define SHF_READER_SHARD_SEPARATORS_H

#include "reader/shard/shard.h"

#define SHF_SEPARATORS_AFTER 256u /* lookups */

void shf_shard_make_separators(struct shf_shard *shard);
void shf_shard_free_separators(struct shf_shard *shard);

/* For `keys` lookups in a shard that is ready: its separators, or NULL as long as there are none. Any thread. */
static inline const struct shf_kv_separators *shf_shard_separators(struct shf_shard *shard, uint32_t keys) {
    const struct shf_kv_separators *made = atomic_load_explicit(&shard->separators, memory_order_acquire);
    if (made) return made;
    if (atomic_load_explicit(&shard->lookups, memory_order_relaxed) >= SHF_SEPARATORS_AFTER) return NULL;
    uint32_t before = atomic_fetch_add_explicit(&shard->lookups, keys, memory_order_relaxed);
    if (before < SHF_SEPARATORS_AFTER && before + keys >= SHF_SEPARATORS_AFTER) shf_shard_make_separators(shard);
    return NULL;
}

#endif
