#include "cli/build/build_row_reading.h"

#include "cli/codec.h"
#include "cli/memory.h"
#include "cli/npy.h"
#include "cli/number.h"

#include <stdlib.h>
#include <string.h>

float *cli_row_memory_floats(struct cli_row_memory *memory, size_t count) {
    if (memory->float_capacity - memory->float_count < count) {
        size_t wanted = memory->float_capacity ? memory->float_capacity * 2 : 4096;
        while (wanted - memory->float_count < count) wanted *= 2;
        memory->floats = cli_realloc_array(memory->floats, wanted, sizeof *memory->floats);
        memory->float_capacity = wanted;
    }
    float *added = memory->floats + memory->float_count;
    memory->float_count += count;
    return added;
}

void cli_row_memory_free(struct cli_row_memory *memory) {
    cli_out_free(&memory->text);
    cli_context_memory_free(&memory->contexts);
    free(memory->floats);
    *memory = (struct cli_row_memory){0};
}

/* A fault of the text: what, and where in the line. */
static char *at_byte(const struct reading *r, const char *what) {
    return cli_format("%s (byte %zu of the line)", what, (size_t)(r->scan.at - r->begin) + 1);
}

char *cli_reading_fault(const struct reading *r, const char *name, const char *what) {
    return cli_format("%s: %s (byte %zu of the line)", name, what, (size_t)(r->scan.at - r->begin) + 1);
}

static bool integer_encoding(const char *encoding) { return !strcmp(encoding, "u64be") || !strcmp(encoding, "u32be"); }

/* Keys of a snapshot are of one kind: that of its encoding, or of the first. */
static char *check_key_kind(struct cli_row_rules *rules, const shf_key *key) {
    bool integer = key->kind == SHF_KEY_INT;
    const char *encoding = rules->key_encoding;
    if (encoding && integer != integer_encoding(encoding)) {
        return cli_format("key: %s, but the key encoding is %s", integer ? "an integer" : "not an integer", encoding);
    }
    if (encoding && !strcmp(encoding, "u32be") && key->as.int_value > UINT32_MAX) {
        return cli_strdup("key: an integer above 4294967295, the largest that u32be holds");
    }
    if (rules->key_kind && (rules->key_kind == SHF_KEY_INT) != integer) {
        return cli_format("key: %s, but the first key is %s", integer ? "an integer" : "text",
                          integer ? "text" : "an integer");
    }
    if (!rules->key_kind) rules->key_kind = key->kind;
    return NULL;
}

static char *integer_key(struct reading *r, shf_key *key) {
    const char *text;
    size_t size;
    bool integer;
    int64_t number;
    const char *wrong = cli_scan_number(&r->scan, &text, &size, &integer);
    if (wrong) return cli_reading_fault(r, "key", "neither a string nor an integer");
    if (!integer) return cli_format("key: %.*s is not an integer", (int)(size < 40 ? size : 40), text);
    if (r->rules->key_format != CLI_KEY_AUTO && r->rules->key_format != CLI_KEY_JSON) {
        return cli_strdup("key: an integer, where --key-format wants a string");
    }
    if (*text == '-' && !(size == 2 && text[1] == '0')) return cli_strdup("key: a negative integer");
    if (!cli_parse_i64(text, size, &number)) return cli_strdup("key: an integer above 9223372036854775807");
    *key = shf_key_from_int(number);
    return NULL;
}

static char *read_key(struct reading *r) {
    if (r->rules->backend == CLI_BACKEND_VECTOR) return cli_vector_row_key(r);
    shf_key *key = &r->row->row.key;
    char *data, *error = NULL;
    size_t size;
    if (r->scan.at == r->scan.end || *r->scan.at != '"') {
        error = integer_key(r, key);
    } else {
        const char *wrong = cli_scan_string(&r->scan, &data, &size);
        if (wrong) return cli_reading_fault(r, "key", wrong);
        bool hex = r->rules->key_format == CLI_KEY_HEX;
        if (!hex && r->rules->key_format != CLI_KEY_BASE64) {
            *key = shf_key_from_text(data, size);
        } else {
            if (!(hex ? cli_hex_decode_to : cli_base64_decode_to)(data, size, data, &size)) {
                return cli_strdup(hex ? "key: not hex (pairs of digits)" : "key: not base64 (with padding)");
            }
            *key = shf_key_from_bytes(data, size);
        }
    }
    return error ? error : check_key_kind(r->rules, key);
}

static char *read_value(struct reading *r) {
    if (r->rules->backend == CLI_BACKEND_VECTOR) return cli_vector_row_value(r);
    enum cli_value_format format = r->rules->value_format;
    struct cli_row *row = r->row;
    char *data;
    size_t size, before = r->memory->text.size;
    if (format == CLI_VALUE_JSON) {
        const char *wrong = cli_scan_copy(&r->scan, CLI_SCAN_COMPACT, &r->memory->text);
        if (wrong) return cli_reading_fault(r, "value", wrong);
        row->value = before;
        row->has_text_value = true;
        row->row.value.size = r->memory->text.size - before;
        return NULL;
    }
    if (r->scan.at == r->scan.end || *r->scan.at != '"') {
        return cli_reading_fault(r, "value", "not a string (--value-format json stores any JSON value)");
    }
    const char *wrong = cli_scan_string(&r->scan, &data, &size);
    if (wrong) return cli_reading_fault(r, "value", wrong);
    bool hex = format == CLI_VALUE_HEX;
    if (format != CLI_VALUE_UTF8 && !(hex ? cli_hex_decode_to : cli_base64_decode_to)(data, size, data, &size)) {
        return cli_strdup(hex ? "value: not hex (pairs of digits)" : "value: not base64 (with padding)");
    }
    row->row.value = (shf_slice){data, size};
    return NULL;
}

char *cli_reading_id(struct reading *r, const char *name, shf_vector_id *id) {
    char *data;
    const char *text;
    size_t size;
    bool integer;
    if (r->scan.at < r->scan.end && *r->scan.at == '"') {
        const char *wrong = cli_scan_string(&r->scan, &data, &size);
        if (wrong) return cli_reading_fault(r, name, wrong);
        id->kind = SHF_ID_TEXT;
        id->text = (shf_slice){data, size};
        return NULL;
    }
    if (cli_scan_number(&r->scan, &text, &size, &integer) || !integer) {
        return cli_reading_fault(r, name, "neither a string nor an integer");
    }
    if (!cli_parse_i64(text, size, &id->int_value)) {
        return cli_format("%s: an integer that does not fit into 64 bits", name);
    }
    id->kind = SHF_ID_INT;
    return NULL;
}

static char *read_id(struct reading *r) { return cli_reading_id(r, "id", &r->row->row.id); }

static char *read_vector(struct reading *r) {
    struct cli_row_memory *memory = r->memory;
    size_t first = memory->float_count;
    if (r->rules->has_vector_file) return cli_strdup("vector: the vectors come from the file of --vectors");
    if (!cli_scan_take(&r->scan, '[')) return cli_reading_fault(r, "vector", "not an array of numbers");
    do {
        size_t count = memory->float_count - first;
        if (count == CLI_NPY_MAX_DIMENSION) return cli_format("vector: more than %u numbers", CLI_NPY_MAX_DIMENSION);
        cli_scan_blanks(&r->scan);
        const char *wrong = cli_scan_float(&r->scan, cli_row_memory_floats(memory, 1));
        if (wrong) {
            return cli_format("vector: element %zu is %s (byte %zu of the line)", count, wrong,
                              (size_t)(r->scan.at - r->begin) + 1);
        }
    } while (cli_scan_take(&r->scan, ','));
    if (!cli_scan_take(&r->scan, ']')) return cli_reading_fault(r, "vector", "',' or ']' is missing");
    r->row->vector = first;
    r->row->row.dimension = (uint32_t)(memory->float_count - first);
    return NULL;
}

static char *read_payload(struct reading *r) {
    size_t before = r->memory->text.size;
    if (r->scan.at == r->scan.end || *r->scan.at != '{') return cli_reading_fault(r, "payload", "not an object");
    const char *wrong = cli_scan_copy(&r->scan, CLI_SCAN_PYTHON, &r->memory->text);
    if (wrong) return cli_reading_fault(r, "payload", wrong);
    r->row->payload = before;
    r->row->has_payload = true;
    r->row->row.payload.size = r->memory->text.size - before;
    return NULL;
}

static char *read_context(struct reading *r) {
    const char *where, *wrong;
    if (!r->rules->columns) {
        return cli_strdup(r->rules->backend == CLI_BACKEND_VECTOR
                              ? "routing_context: it counts with --cel-expr alone"
                              : "routing_context: without --cel-expr rows go to shards by the hash of their keys");
    }
    wrong = cli_row_context_object(&r->row->context, &r->memory->contexts, r->rules->columns, &r->scan,
                                   &r->memory->text, &where);
    return wrong ? cli_reading_fault(r, where, wrong) : NULL;
}

/* A member that is called like a column of the expression. */
static char *read_column(struct reading *r, const struct cli_column *column) {
    const char *where;
    const char *wrong = cli_row_context_value(&r->row->context, &r->memory->contexts, column, &r->scan, &where);
    return wrong ? cli_reading_fault(r, where, wrong) : NULL;
}

static const struct {
    const char *name;
    enum member bit;
    bool may_be_null; /* as if it were not there */
    char *(*read)(struct reading *r);
} members[] = {
    {"key", KEY, false, read_key},
    {"value", VALUE, false, read_value},
    {"id", ID, true, read_id},
    {"vector", VECTOR, true, read_vector},
    {"payload", PAYLOAD, true, read_payload},
    {"routing_context", CONTEXT, true, read_context},
    {"shard_id", SHARD, true, cli_vector_row_shard},
};

static char *unknown_member(const char *name, size_t size) {
    struct cli_out shown;
    cli_out_init(&shown, -1);
    cli_out_string(&shown, "there is no member \"");
    cli_out_printable(&shown, name, size < 100 ? size : 100);
    cli_out_string(&shown, "\"; a row has key, value, id, vector and payload, and what its sharding goes by");
    return shown.data;
}

static char *read_member(struct reading *r) {
    char *name;
    size_t size;
    cli_scan_blanks(&r->scan);
    const char *wrong = cli_scan_string(&r->scan, &name, &size);
    if (wrong) return at_byte(r, wrong);
    if (!cli_scan_take(&r->scan, ':')) return at_byte(r, "not JSON: ':' is missing");
    cli_scan_blanks(&r->scan);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if (strlen(members[i].name) != size || memcmp(members[i].name, name, size) != 0) continue;
        if (r->seen & members[i].bit) return cli_format("%s stands twice in the line", members[i].name);
        r->seen |= members[i].bit;
        if (!members[i].may_be_null || !cli_scan_null(&r->scan)) return members[i].read(r);
        return NULL;
    }
    const struct cli_column *column = r->rules->columns ? cli_columns_find(r->rules->columns, name, size) : NULL;
    return column ? read_column(r, column) : unknown_member(name, size);
}

static char *read_object(struct reading *r) {
    if (!cli_scan_take(&r->scan, '{')) return at_byte(r, "not a JSON object");
    if (!cli_scan_take(&r->scan, '}')) {
        do {
            char *error = read_member(r);
            if (error) return error;
        } while (cli_scan_take(&r->scan, ','));
        if (!cli_scan_take(&r->scan, '}')) return at_byte(r, "not JSON: ',' or '}' is missing");
    }
    cli_scan_blanks(&r->scan);
    return r->scan.at == r->scan.end ? NULL : at_byte(r, "something follows the JSON object");
}

/* Whether the row fits what is built: a vector in every row, or in none. */
static char *check_vector(struct cli_row_rules *rules, struct cli_row *row) {
    bool has_vector = row->row.dimension > 0;
    if (rules->backend == CLI_BACKEND_AUTO) rules->backend = has_vector ? CLI_BACKEND_UNIFIED : CLI_BACKEND_KV;
    if (rules->backend == CLI_BACKEND_KV) {
        if (has_vector && !rules->backend_was_given) {
            return cli_strdup("it has a vector, but the first row has none; say --backend unified or kv");
        }
        rules->ignored |= has_vector || row->has_payload || row->row.id.kind;
        row->row.dimension = 0;
        row->row.id = (shf_vector_id){0};
        row->has_payload = false;
        row->row.payload.size = 0;
        return NULL;
    }
    if (!has_vector) return cli_strdup("it has no vector, which every row of this snapshot needs");
    if (!rules->dimension) rules->dimension = row->row.dimension;
    if (rules->dimension == row->row.dimension) return NULL;
    return cli_format("its vector has %u numbers, %s %u", row->row.dimension,
                      rules->dimension_of ? rules->dimension_of : "the first has", rules->dimension);
}

static char *check_key_and_value(struct reading *r) {
    if (!(r->seen & KEY)) return cli_strdup("it has no key");
    if (!(r->seen & VALUE)) return cli_strdup("it has no value");
    const struct cli_columns *columns = r->rules->columns;
    if (columns) cli_row_context_key(&r->row->context, &r->memory->contexts, columns, &r->row->row.key);
    return NULL;
}

char *cli_row_parse(char *line, size_t size, struct cli_row_rules *rules, struct cli_row_memory *memory, size_t vector,
                    struct cli_row *out) {
    struct reading r = {.scan = {line, line + size}, .begin = line, .rules = rules, .memory = memory, .row = out};
    struct cli_row_rules rules_before = *rules; /* a wrong row decides nothing */
    size_t text_before = memory->text.size, floats_before = memory->float_count;
    size_t values_before = memory->contexts.count;
    *out = (struct cli_row){.vector = vector};
    SHF_INIT(&out->row);
    if (rules->has_vector_file) out->row.dimension = rules->dimension;
    char *error = read_object(&r);
    if (!error) error = rules->backend == CLI_BACKEND_VECTOR ? cli_vector_row_check(&r) : check_key_and_value(&r);
    if (!error) error = check_vector(rules, out);
    if (!error) return NULL;
    *rules = rules_before;
    memory->contexts.count = values_before;
    memory->text.size = text_before;
    memory->float_count = floats_before;
    return error;
}

void cli_row_settle(struct cli_row *row, const struct cli_row_memory *memory) {
    if (row->has_payload) row->row.payload.data = memory->text.data + row->payload;
    if (row->has_text_value) row->row.value.data = memory->text.data + row->value;
    row->row.context = cli_row_context_settle(&row->context, &memory->contexts);
    if (row->row.dimension) row->row.vector = memory->floats + row->vector;
}
