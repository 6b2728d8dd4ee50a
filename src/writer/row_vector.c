/* The vector of a row, and what goes with it. */
#include "base/limits.h"
#include "base/text.h"
#include "formats/json_object.h"
#include "writer/vector_key.h"
#include "writer/write.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define FLOATS_A_STEP 16u

/* Many at a time: a number whose exponent has all bits set carries into the sign when one is added to it. */
static bool all_finite(const float *vector, uint32_t dimension) {
    uint32_t carried[FLOATS_A_STEP] = {0}, any = 0, i = 0;
    for (; dimension - i >= FLOATS_A_STEP; i += FLOATS_A_STEP) {
        uint32_t bits[FLOATS_A_STEP];
        memcpy(bits, vector + i, sizeof bits);
        for (uint32_t k = 0; k < FLOATS_A_STEP; k++) carried[k] |= (bits[k] & 0x7f800000u) + 0x00800000u;
    }
    for (uint32_t k = 0; k < FLOATS_A_STEP; k++) any |= carried[k];
    for (; i < dimension; i++) any |= isfinite(vector[i]) ? 0 : UINT32_C(1) << 31;
    return any >> 31 == 0;
}

static shf_status ready_vector(const shf_row *row, struct shf_row_rules *rules, struct shf_row_ready *out,
                               struct shf_error **error) {
    if (!row->dimension || !row->vector) return shf_error_set(error, SHF_E_INVALID, "the row has no vector");
    if (row->dimension > SHF_LIMIT_DIMENSION) {
        return shf_error_set(error, SHF_E_LIMIT, "the vector has %" PRIu32 " dimensions; at most %u", row->dimension,
                             SHF_LIMIT_DIMENSION);
    }
    if (!rules->dimension) rules->dimension = row->dimension;
    if (row->dimension != rules->dimension) {
        return shf_error_set(error, SHF_E_INVALID, "the vector has %" PRIu32 " dimensions, the others have %" PRIu32,
                             row->dimension, rules->dimension);
    }
    if (!rules->was_checked && !all_finite(row->vector, row->dimension)) {
        uint32_t i = 0;
        while (isfinite(row->vector[i])) i++;
        return shf_error_set(error, SHF_E_INVALID, "element %" PRIu32 " of the vector is not a finite number", i);
    }
    out->row.vector = row->vector;
    return SHF_OK;
}

/* Whether a given id says what the key says. */
static bool id_repeats_key(const shf_row *row) {
    const shf_vector_id *id = &row->id;
    if (!id->kind) return true;
    if (id->kind == SHF_ID_INT) {
        return (row->key.kind == SHF_KEY_INT && row->key.as.int_value == id->int_value) ||
               (row->key.kind == SHF_KEY_UINT && id->int_value >= 0 && row->key.as.uint_value == (uint64_t)id->int_value);
    }
    return row->key.kind == SHF_KEY_TEXT && row->key.as.bytes.size == id->text.size &&
           (!id->text.size || !memcmp(row->key.as.bytes.data, id->text.data, id->text.size));
}

/* Readers take an id as a text without NUL. */
static shf_status check_id_text(shf_slice text, bool was_given, struct shf_error **error) {
    const char *what = was_given ? "the id" : "the key, which is the id as well,";
    if (text.size && !text.data) return shf_error_set(error, SHF_E_INVALID, "%s has a size, and a null pointer", what);
    if (text.size > SHF_LIMIT_WRITTEN_ID_BYTES) {
        return shf_error_set(error, SHF_E_LIMIT, "%s has %zu bytes; an id has at most %u", what, text.size,
                             SHF_LIMIT_WRITTEN_ID_BYTES);
    }
    if (!shf_utf8_valid(text.data, text.size))
        return shf_error_set(error, SHF_E_INVALID, "%s is not valid UTF-8", what);
    if (text.size && memchr(text.data, '\0', text.size)) {
        return shf_error_set(error, SHF_E_INVALID, "%s holds a NUL character, which an id can not", what);
    }
    return SHF_OK;
}

static shf_status check_id_kind(uint32_t kind, struct shf_row_rules *rules, struct shf_error **error) {
    if (!rules->id_kind) rules->id_kind = kind;
    if (kind == rules->id_kind) return SHF_OK;
    return shf_error_set(error, SHF_E_INVALID, "the id is %s, others are %s; ids are all integers or all text",
                         kind == SHF_ID_INT ? "an integer" : "text", kind == SHF_ID_INT ? "text" : "integers");
}

static shf_status ready_id(const shf_row *row, struct shf_row_rules *rules, struct shf_row_ready *out,
                           struct shf_error **error) {
    const shf_vector_id *id = &row->id;
    shf_status status;
    if (id->kind > SHF_ID_TEXT)
        return shf_error_set(error, SHF_E_INVALID, "the id has a kind that is none of SHF_ID_*");
    bool key_is_integer = row->key.kind == SHF_KEY_INT || row->key.kind == SHF_KEY_UINT;
    uint32_t kind = id->kind ? id->kind : key_is_integer ? SHF_ID_INT : SHF_ID_TEXT;
    if (!id->kind && row->key.kind == SHF_KEY_BYTES) {
        return shf_error_set(error, SHF_E_INVALID, "the key is bytes, which can be no id; give the row an id");
    }
    shf_slice text = id->kind ? id->text : row->key.as.bytes;
    status = kind == SHF_ID_TEXT ? check_id_text(text, id->kind != 0, error) : SHF_OK;
    if (status) return status;
    status = check_id_kind(kind, rules, error);
    if (status) return status;
    out->row.id_is_key = id_repeats_key(row);
    out->row.id_is_text = kind == SHF_ID_TEXT;
    if (!out->row.id_is_key) {
        rules->ids_differ = true;
        out->row.id_integer = id->int_value;
        out->row.id_text = id->text.data;
        out->row.id_text_size = kind == SHF_ID_TEXT ? (uint32_t)id->text.size : 0;
    }
    return SHF_OK;
}

static shf_status ready_payload(const shf_row *row, const struct shf_row_rules *rules, struct shf_row_ready *out,
                                struct shf_error **error) {
    if (!row->payload.data) return SHF_OK;
    bool is_known = rules->was_checked && row->payload.size <= SHF_LIMIT_JSON_BYTES;
    shf_status status = is_known ? SHF_OK : shf_json_check_object(row->payload.data, row->payload.size, error);
    if (status) {
        shf_error_prefix(error, "the payload is no JSON object");
        return status;
    }
    out->row.payload = row->payload.data;
    out->row.payload_size = (uint32_t)row->payload.size;
    return SHF_OK;
}

shf_status shf_row_check_vector(const shf_row *row, struct shf_row_rules *rules, struct shf_row_ready *out,
                                struct shf_error **error) {
    shf_status status = ready_vector(row, rules, out, error);
    if (!status) status = ready_id(row, rules, out, error);
    return status ? status : ready_payload(row, rules, out, error);
}

/* ---- rows of vectors alone ---- */

/* By the id rows are sorted: it is what stands in the place of a key. */
static shf_status ready_own_id(const shf_row *row, struct shf_row_rules *rules, struct shf_row_ready *out,
                               struct shf_error **error) {
    const shf_vector_id *id = &row->id;
    if (!id->kind) return shf_error_set(error, SHF_E_INVALID, "the row has no id; each vector needs one of its own");
    if (id->kind > SHF_ID_TEXT)
        return shf_error_set(error, SHF_E_INVALID, "the id has a kind that is none of SHF_ID_*");
    shf_status status = id->kind == SHF_ID_TEXT ? check_id_text(id->text, true, error) : SHF_OK;
    if (!status) status = check_id_kind(id->kind, rules, error);
    if (status) return status;
    out->row.id_is_key = true;
    out->row.id_is_text = id->kind == SHF_ID_TEXT;
    if (out->row.id_is_text) {
        out->row.key = id->text.data;
        out->row.key_size = (uint32_t)id->text.size;
    } else {
        shf_vector_key_write(id->int_value, out->integer_key);
        out->row.key = out->integer_key;
        out->row.key_size = sizeof out->integer_key;
    }
    return SHF_OK;
}

/* What says which shard, where neither the vector nor an expression does. */
static shf_status ready_shard(const shf_row *row, const struct shf_row_rules *rules, struct shf_row_ready *out,
                              struct shf_error **error) {
    if (rules->strategy != SHF_VECTORS_BY_ID && row->shard) {
        return shf_error_set(error, SHF_E_INVALID,
                             "the row names shard %" PRIu32
                             ", but vector_sharding is %s, which decides that; leave it 0",
                             row->shard, shf_vector_strategy_name(rules->strategy));
    }
    if (rules->strategy == SHF_VECTORS_BY_ID && row->shard >= rules->num_dbs) {
        return shf_error_set(error, SHF_E_INVALID,
                             "the row names shard %" PRIu32 ", but num_dbs is %" PRIu32 ", so 0 to %" PRIu32
                             " are there",
                             row->shard, rules->num_dbs, rules->num_dbs - 1);
    }
    if (rules->strategy != SHF_VECTORS_BY_CEL && row->context) {
        return shf_error_set(error, SHF_E_INVALID,
                             "the row has a routing context, but vector_sharding is %s; leave it NULL",
                             shf_vector_strategy_name(rules->strategy));
    }
    out->row.hash = row->shard;
    return SHF_OK;
}

shf_status shf_row_check_vector_only(const shf_row *row, struct shf_row_rules *rules, struct shf_row_ready *out,
                                     struct shf_error **error) {
    if (row->key.kind || row->value.size || row->value.data) {
        return shf_error_set(error, SHF_E_INVALID,
                             "the row has a %s, which a snapshot of vectors alone has no place for; leave it zero",
                             row->key.kind ? "key" : "value");
    }
    if (row->reserved)
        return shf_error_set(error, SHF_E_INVALID, "reserved is %" PRIu32 "; it must be 0", row->reserved);
    out->row.origin = row->origin;
    shf_status status = ready_own_id(row, rules, out, error);
    if (!status) status = ready_vector(row, rules, out, error);
    if (!status) status = ready_shard(row, rules, out, error);
    return status ? status : ready_payload(row, rules, out, error);
}
