/* A manifest database. */
#include "formats/manifest.h"
#include "fuzz_entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct shf_manifest *manifest;
    struct shf_error *error = NULL;
    if (shf_manifest_parse(data, size, &manifest, &error)) {
        shf_error_free(error);
        return 0;
    }
    for (uint32_t id = 0; id < manifest->num_dbs; id++) {
        const struct shf_manifest_shard *shard = shf_manifest_find_shard(manifest, id);
        if (shard && shard->db_id != id) __builtin_trap();
    }
    if (manifest->shard_count > manifest->num_dbs || !manifest->run_id || !manifest->key_encoding) __builtin_trap();
    shf_manifest_free(manifest);
    return 0;
}
