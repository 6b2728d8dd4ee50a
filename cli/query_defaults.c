#include "cli/memory.h"
#include "cli/query.h"

#include <stdlib.h>

void cli_query_defaults_apply(struct cli_query_defaults *defaults, const shf_snapshot *snapshot) {
    shf_snapshot_info info;
    SHF_INIT(&info);
    if (shf_snapshot_describe(snapshot, &info) || info.kind != SHF_KIND_VECTOR_ONLY) return;
    defaults->all_count = info.num_dbs;
    defaults->all_shards = cli_alloc_array(info.num_dbs, sizeof *defaults->all_shards);
    for (uint32_t i = 0; i < info.num_dbs; i++) defaults->all_shards[i] = i;
}

void cli_query_defaults_free(struct cli_query_defaults *defaults) {
    free(defaults->all_shards);
    cli_context_free(&defaults->context);
}
