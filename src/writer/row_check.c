#include "base/cursor.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/text.h"
#include "formats/json_object.h"
#include "rt/struct_size.h"
#include "writer/write.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

shf_status shf_row_at(const shf_row *rows, size_t stride, size_t index, shf_row *out) {
    return shf_struct_copy(out, sizeof *out, (const char *)rows + index * stride);
}

/* ---- keys ---- */

static bool is_integer(const shf_key *key) { return key->kind == SHF_KEY_INT || key->kind == SHF_KEY_UINT; }

static shf_status check_kind(const shf_key *key, struct shf_row_rules *rules, struct shf_error **error) {
    static const char *const names[] = {"no kind", "an integer", "an integer", "text", "bytes"};
    if (key->kind < SHF_KEY_INT || key->kind > SHF_KEY_BYTES) {
        return shf_error_set(error, SHF_E_INVALID, "the key has kind %" PRIu32 ", which is none of SHF_KEY_*", key->kind);
    }
    if (!rules->key_encoding) {
        rules->key_encoding = is_integer(key)             ? SHF_ENCODING_U64BE
                              : key->kind == SHF_KEY_TEXT ? SHF_ENCODING_UTF8
                                                          : SHF_ENCODING_RAW;
    }
    bool fits = rules->key_encoding == SHF_ENCODING_RAW    ? !is_integer(key)
                : rules->key_encoding == SHF_ENCODING_UTF8 ? key->kind == SHF_KEY_TEXT
                                                           : is_integer(key);
    if (fits) return SHF_OK;
    return shf_error_set(error, SHF_E_INVALID, "the key is %s; with key encoding %s all keys are %s", names[key->kind],
                         shf_key_encoding_name(rules->key_encoding),
                         rules->key_encoding == SHF_ENCODING_RAW    ? "text or bytes"
                         : rules->key_encoding == SHF_ENCODING_UTF8 ? "text"
                                                                    : "integers");
}

/* What hash sharding can route is what a signed 64-bit integer holds. */
static shf_status ready_integer(const shf_key *key, enum shf_key_encoding encoding, struct shf_row_ready *out,
                                struct shf_error **error) {
    uint8_t routed[8];
    bool is_small = encoding == SHF_ENCODING_U32BE;
    uint64_t most = is_small ? UINT32_MAX : INT64_MAX;
    uint64_t value = key->kind == SHF_KEY_INT ? (uint64_t)key->as.int_value : key->as.uint_value;
    if (key->kind == SHF_KEY_INT && key->as.int_value < 0) {
        return shf_error_set(error, SHF_E_INVALID, "the key %" PRId64 " is negative; %s holds 0 to %" PRIu64,
                             key->as.int_value, shf_key_encoding_name(encoding), most);
    }
    if (value > most) {
        return shf_error_set(error, SHF_E_INVALID, "the key %" PRIu64 " is too large; %s holds 0 to %" PRIu64, value,
                             shf_key_encoding_name(encoding), most);
    }
    for (unsigned i = 0; i < 8; i++) out->integer_key[i] = (uint8_t)(value >> (56 - 8 * i));
    shf_store_u64le(routed, value);
    out->row.key = is_small ? out->integer_key + 4 : out->integer_key;
    out->row.key_size = is_small ? 4 : 8;
    out->row.hash = shf_hash64(routed, sizeof routed);
    return SHF_OK;
}

static shf_status ready_key(const shf_row *row, struct shf_row_rules *rules, struct shf_row_ready *out,
                            struct shf_error **error) {
    const shf_key *key = &row->key;
    shf_status status = check_kind(key, rules, error);
    if (status) return status;
    if (is_integer(key)) return ready_integer(key, rules->key_encoding, out, error);
    if (key->as.bytes.size > SHF_LIMIT_VALUE_BYTES || row->value.size > SHF_LIMIT_VALUE_BYTES - key->as.bytes.size) {
        return shf_error_set(error, SHF_E_LIMIT, "key and value have %zu and %zu bytes; together at most %u",
                             key->as.bytes.size, row->value.size, SHF_LIMIT_VALUE_BYTES);
    }
    if (key->as.bytes.size && !key->as.bytes.data) {
        return shf_error_set(error, SHF_E_INVALID, "the key has a size, and a null pointer");
    }
    if (key->kind == SHF_KEY_TEXT && !shf_utf8_valid(key->as.bytes.data, key->as.bytes.size)) {
        return shf_error_set(error, SHF_E_INVALID, "the text key is not valid UTF-8");
    }
    out->row.key = key->as.bytes.data;
    out->row.key_size = (uint32_t)key->as.bytes.size;
    out->row.hash = shf_hash64(key->as.bytes.size ? key->as.bytes.data : "", key->as.bytes.size);
    return SHF_OK;
}

/* ---- vectors, ids, payloads ---- */

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

static shf_status ready_id(const shf_row *row, struct shf_row_rules *rules, struct shf_row_ready *out,
                           struct shf_error **error) {
    const shf_vector_id *id = &row->id;
    shf_status status;
    if (id->kind > SHF_ID_TEXT)
        return shf_error_set(error, SHF_E_INVALID, "the id has a kind that is none of SHF_ID_*");
    uint32_t kind = id->kind ? id->kind : is_integer(&row->key) ? SHF_ID_INT : SHF_ID_TEXT;
    if (!id->kind && row->key.kind == SHF_KEY_BYTES) {
        return shf_error_set(error, SHF_E_INVALID, "the key is bytes, which can be no id; give the row an id");
    }
    shf_slice text = id->kind ? id->text : row->key.as.bytes;
    status = kind == SHF_ID_TEXT ? check_id_text(text, id->kind != 0, error) : SHF_OK;
    if (status) return status;
    if (!rules->id_kind) rules->id_kind = kind;
    if (kind != rules->id_kind) {
        return shf_error_set(error, SHF_E_INVALID, "the id is %s, others are %s; ids are all integers or all text",
                             kind == SHF_ID_INT ? "an integer" : "text", kind == SHF_ID_INT ? "text" : "integers");
    }
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

shf_status shf_row_check(const shf_row *row, struct shf_row_rules *rules, struct shf_row_ready *out,
                         struct shf_error **error) {
    memset(out, 0, sizeof *out);
    if (row->value.size > SHF_LIMIT_VALUE_BYTES || (row->value.size && !row->value.data)) {
        return shf_error_set(error, SHF_E_INVALID, "the value has %zu bytes (at most %u) or a null pointer",
                             row->value.size, SHF_LIMIT_VALUE_BYTES);
    }
    shf_status status = ready_key(row, rules, out, error);
    if (status) return status;
    out->row.value = row->value.data;
    out->row.value_size = (uint32_t)row->value.size;
    out->row.origin = row->origin;
    if (!rules->is_unified) {
        bool is_bare = !row->dimension && !row->vector && !row->id.kind && !row->payload.data;
        return is_bare ? SHF_OK
                       : shf_error_set(
                             error, SHF_E_INVALID,
                             "the row has a vector, an id or a payload, which a snapshot of keys has no place for");
    }
    status = ready_vector(row, rules, out, error);
    if (!status) status = ready_id(row, rules, out, error);
    return status ? status : ready_payload(row, rules, out, error);
}
