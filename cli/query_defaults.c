#include "cli/memory.h"
#include "cli/query.h"

#include <stdlib.h>

uint32_t *cli_all_shards(uint32_t count) {
    uint32_t *ids = cli_alloc_array(count, sizeof *ids);
    for (uint32_t i = 0; i < count; i++) ids[i] = i;
    return ids;
}

void cli_query_defaults_apply(struct cli_query_defaults *defaults, const shf_snapshot *snapshot) {
    shf_snapshot_info info;
    SHF_INIT(&info);
    if (shf_snapshot_describe(snapshot, &info) || info.kind != SHF_KIND_VECTOR_ONLY) return;
    defaults->all_count = info.num_dbs;
    defaults->all_shards = cli_all_shards(info.num_dbs);
}

void cli_query_defaults_free(struct cli_query_defaults *defaults) {
    free(defaults->all_shards);
    cli_context_free(&defaults->context);
}
