#include "cli/build/build_context.h"

#include "cli/memory.h"

#include <stdlib.h>
#include <string.h>

void cli_context_memory_free(struct cli_context_memory *memory) {
    free(memory->values);
    *memory = (struct cli_context_memory){0};
}

/* A row's values lie together: it is the last that has any. */
static void add(struct cli_row_context *out, struct cli_context_memory *memory, const shf_context_value *value) {
    if (memory->count == memory->capacity) {
        memory->capacity = memory->capacity ? 2 * memory->capacity : 1024;
        memory->values = cli_realloc_array(memory->values, memory->capacity, sizeof *memory->values);
    }
    if (!out->context.count) out->first = memory->count;
    out->context.struct_size = sizeof out->context;
    out->context.count++;
    memory->values[memory->count++] = *value;
}

static bool has(const struct cli_row_context *out, const struct cli_context_memory *memory, const char *name) {
    for (size_t i = 0; i < out->context.count; i++) {
        if (!strcmp(memory->values[out->first + i].name, name)) return true;
    }
    return false;
}

const char *cli_row_context_value(struct cli_row_context *out, struct cli_context_memory *memory,
                                  const struct cli_column *column, struct cli_scan *scan, const char **where) {
    shf_context_value value;
    bool is_null;
    *where = column->name;
    out->is_given = true;
    if (has(out, memory, column->name)) return "given twice";
    const char *wrong = cli_column_read(column, scan, &value, &is_null);
    if (!wrong && !is_null) add(out, memory, &value);
    return wrong;
}

const char *cli_row_context_object(struct cli_row_context *out, struct cli_context_memory *memory,
                                   const struct cli_columns *columns, struct cli_scan *scan, struct cli_out *spare,
                                   const char **where) {
    *where = "routing_context";
    out->is_given = true;
    if (!cli_scan_take(scan, '{')) return "not an object";
    if (cli_scan_take(scan, '}')) return NULL;
    do {
        char *name;
        size_t size, before = spare->size;
        *where = "routing_context";
        cli_scan_blanks(scan);
        const char *wrong = cli_scan_string(scan, &name, &size);
        if (!wrong && !cli_scan_take(scan, ':')) wrong = "':' is missing";
        if (wrong) return wrong;
        cli_scan_blanks(scan);
        const struct cli_column *column = cli_columns_find(columns, name, size);
        if (column) {
            wrong = cli_row_context_value(out, memory, column, scan, where);
        } else {
            wrong = cli_scan_copy(scan, CLI_SCAN_COMPACT, spare);
            spare->size = before;
        }
        if (wrong) return wrong;
    } while (cli_scan_take(scan, ','));
    *where = "routing_context";
    return cli_scan_take(scan, '}') ? NULL : "',' or '}' is missing";
}

void cli_row_context_key(struct cli_row_context *out, struct cli_context_memory *memory,
                         const struct cli_columns *columns, const shf_key *key) {
    if (!out->is_given || columns->key == columns->count || has(out, memory, "key")) return;
    shf_context_value value = {.name = columns->items[columns->key].name};
    if (key->kind == SHF_KEY_INT) {
        value.kind = SHF_CONTEXT_INT;
        value.as.int_value = key->as.int_value;
    } else {
        value.kind = key->kind == SHF_KEY_TEXT ? SHF_CONTEXT_TEXT : SHF_CONTEXT_BYTES;
        value.as.bytes = key->as.bytes;
    }
    add(out, memory, &value);
}

const shf_routing_context *cli_row_context_settle(struct cli_row_context *out, const struct cli_context_memory *memory) {
    if (!out->is_given) return NULL;
    out->context.struct_size = sizeof out->context;
    out->context.values = out->context.count ? memory->values + out->first : NULL;
    return &out->context;
}
