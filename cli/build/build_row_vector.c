/*
 * Rows of snapshots of vectors alone. The same lines as of other snapshots are taken: a key serves as the id where there is
 * none, and for a column of that name; a value is passed over.
 */
#include "cli/build/build_row_reading.h"

#include "cli/memory.h"
#include "cli/number.h"

char *cli_vector_row_key(struct reading *r) { return cli_reading_id(r, "key", &r->key); }

char *cli_vector_row_value(struct reading *r) {
    size_t before = r->memory->text.size;
    const char *wrong = cli_scan_copy(&r->scan, CLI_SCAN_COMPACT, &r->memory->text);
    r->memory->text.size = before;
    return wrong ? cli_reading_fault(r, "value", wrong) : NULL;
}

char *cli_vector_row_shard(struct reading *r) {
    const char *text;
    size_t size;
    bool is_integer;
    int64_t number;
    if (r->rules->backend != CLI_BACKEND_VECTOR) {
        return cli_strdup("shard_id: rows go to shards by the hash of their keys; only snapshots of vectors alone have "
                          "explicit sharding (--backend vector --vector-sharding explicit)");
    }
    if (r->rules->sharding != CLI_SHARDING_EXPLICIT) {
        return cli_format("shard_id: it counts with --vector-sharding explicit alone, and this is %s",
                          cli_vector_sharding_name(r->rules->sharding));
    }
    if (cli_scan_number(&r->scan, &text, &size, &is_integer) || !is_integer) {
        return cli_reading_fault(r, "shard_id", "not an integer");
    }
    if (!cli_parse_i64(text, size, &number) || number < 0 || number > UINT32_MAX) {
        return cli_format("shard_id: %.*s is not the number of a shard", (int)(size < 40 ? size : 40), text);
    }
    r->row->row.shard = (uint32_t)number;
    r->seen |= SHARD_GIVEN;
    return NULL;
}

/* A column that is called key is what the line calls so. The expression has nothing but the context. */
static void add_key(struct reading *r) {
    shf_key key = {0};
    if (!r->rules->columns || !r->key.kind) return;
    key = r->key.kind == SHF_ID_INT ? shf_key_from_int(r->key.int_value)
                                    : shf_key_from_text(r->key.text.data, r->key.text.size);
    r->row->context.is_given |= r->rules->columns->key < r->rules->columns->count;
    cli_row_context_key(&r->row->context, &r->memory->contexts, r->rules->columns, &key);
}

char *cli_vector_row_check(struct reading *r) {
    shf_row *row = &r->row->row;
    if (!row->id.kind && !r->key.kind) return cli_strdup("it has neither id nor key");
    if (r->rules->sharding == CLI_SHARDING_EXPLICIT && !(r->seen & SHARD_GIVEN)) {
        return cli_strdup("it has no shard_id, which says its shard (--vector-sharding explicit)");
    }
    add_key(r);
    r->rules->ignored |= (r->seen & VALUE) || (row->id.kind && r->key.kind);
    if (!row->id.kind) row->id = r->key;
    return NULL;
}
