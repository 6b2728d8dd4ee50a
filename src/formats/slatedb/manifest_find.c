/* Which SSTs of a manifest may hold a key. */
#include "formats/slatedb/manifest.h"

const struct shf_slatedb_segment *shf_slatedb_manifest_segment(const struct shf_slatedb_manifest *manifest,
                                                               struct shf_slatedb_bytes key) {
    /*
     * The last segment whose prefix is not greater: as prefixes do not nest, it is the only one that can begin the key.
     */
    uint32_t low = 0, high = manifest->segment_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (shf_slatedb_compare(manifest->segments[middle].prefix, key) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == 0 || !shf_slatedb_starts_with(key, manifest->segments[low - 1].prefix)) return NULL;
    return &manifest->segments[low - 1];
}

/* Number of SSTs of the run whose first key is below the key, or not above it. */
static uint32_t count_before(const struct shf_slatedb_manifest *manifest, const struct shf_slatedb_run *run,
                             struct shf_slatedb_bytes key, int greatest) {
    uint32_t low = 0, high = run->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (shf_slatedb_compare(manifest->ssts[run->first + middle].info.first_key, key) <= greatest) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void shf_slatedb_manifest_run_candidates(const struct shf_slatedb_manifest *manifest, const struct shf_slatedb_run *run,
                                         struct shf_slatedb_bytes key, uint32_t *first, uint32_t *end) {
    uint32_t below = count_before(manifest, run, key, -1);
    *first = run->first + (below ? below - 1 : 0);
    *end = run->first + count_before(manifest, run, key, 0);
}

bool shf_slatedb_sst_shows(const struct shf_slatedb_sst *sst, struct shf_slatedb_bytes key) {
    if (sst->from.kind != SHF_SLATEDB_UNBOUNDED) {
        int order = shf_slatedb_compare(key, sst->from.key);
        if (order < 0 || (order == 0 && sst->from.kind == SHF_SLATEDB_EXCLUDED)) return false;
    }
    if (sst->to.kind != SHF_SLATEDB_UNBOUNDED) {
        int order = shf_slatedb_compare(key, sst->to.key);
        if (order > 0 || (order == 0 && sst->to.kind == SHF_SLATEDB_EXCLUDED)) return false;
    }
    return true;
}

bool shf_slatedb_sst_may_hold(const struct shf_slatedb_sst *sst, struct shf_slatedb_bytes key) {
    const struct shf_slatedb_info *info = &sst->info;
    if (info->has_first_key && shf_slatedb_compare(key, info->first_key) < 0) return false;
    if (info->has_last_key && shf_slatedb_compare(key, info->last_key) > 0) return false;
    return shf_slatedb_sst_shows(sst, key);
}
