#include "cli/columns.h"

char *cli_columns_apply(const shf_snapshot *snapshot, struct cli_context *context) {
    shf_column_info column;
    SHF_INIT(&column);
    for (uint32_t i = 0; shf_snapshot_column(snapshot, i, &column) == SHF_OK; i++) {
        char *error = cli_context_set_type(context, column.name, column.kind);
        if (error) return error;
    }
    return NULL;
}
