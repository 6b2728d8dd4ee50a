#include "base/cursor.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/text.h"
#include "rt/struct_size.h"
#include "writer/write.h"

#include <inttypes.h>
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

shf_status shf_row_check(const shf_row *row, struct shf_row_rules *rules, struct shf_row_ready *out,
                         struct shf_error **error) {
    memset(out, 0, sizeof *out);
    if (rules->is_vector_only) return shf_row_check_vector_only(row, rules, out, error);
    if (row->shard || row->reserved) {
        return shf_error_set(error, SHF_E_INVALID, "the row names a shard, which only rows of vectors alone do");
    }
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
    return shf_row_check_vector(row, rules, out, error);
}
