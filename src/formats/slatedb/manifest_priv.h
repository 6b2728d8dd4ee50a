/* Parts of the manifest's parser. Private to formats. */
#ifndef SHF_FORMATS_SLATEDB_MANIFEST_PRIV_H
#define SHF_FORMATS_SLATEDB_MANIFEST_PRIV_H

#include "formats/slatedb/manifest.h"

#define SHF_MANIFEST_CONTENT 2u /* where the flatbuffer begins */

/* Parsing under way. */
struct shf_manifest_lists {
    struct shf_slatedb_manifest *manifest;
    struct shf_flat flat;
    struct shf_slatedb_ulid *external; /* ids of SSTs that lie in other databases, ascending */
    uint32_t external_count;
    struct shf_slatedb_sst *dictionary; /* V2: what the views speak of, ascending by id */
    uint32_t dictionary_count;
    uint32_t sst_capacity, run_capacity;
};

shf_status shf_manifest_refuse_count(const char *what, uint64_t count, struct shf_error **error);
shf_status shf_manifest_read_external(struct shf_manifest_lists *lists, const struct shf_flat_vector *databases,
                                      struct shf_error **error);
shf_status shf_manifest_read_dictionary(struct shf_manifest_lists *lists, const struct shf_flat_vector *ssts,
                                        struct shf_error **error);
/* Both add to the lists of the manifest, and set the segment's places in them. */
shf_status shf_manifest_read_l0(struct shf_manifest_lists *lists, const struct shf_flat_vector *l0,
                                struct shf_slatedb_segment *segment, struct shf_error **error);
shf_status shf_manifest_read_runs(struct shf_manifest_lists *lists, const struct shf_flat_vector *runs,
                                  struct shf_slatedb_segment *segment, struct shf_error **error);

#endif
