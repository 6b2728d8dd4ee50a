#include "snapshot/router.h"

#include "base/cursor.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* What holds of every key, whatever it is used for. */
shf_status shf_key_check(const shf_key *key, struct shf_error **error) {
    if (!key) return shf_error_set(error, SHF_E_INVALID, "no key was given");
    if (key->kind < SHF_KEY_INT || key->kind > SHF_KEY_BYTES) {
        return shf_error_set(error, SHF_E_INVALID,
                             "the key has kind %" PRIu32 ", which is none of SHF_KEY_INT, _UINT, _TEXT, "
                             "_BYTES",
                             key->kind);
    }
    if (key->kind == SHF_KEY_INT || key->kind == SHF_KEY_UINT) return SHF_OK;
    if (key->as.bytes.size && !key->as.bytes.data) {
        return shf_error_set(error, SHF_E_INVALID, "the key has %zu bytes and a null pointer to them",
                             key->as.bytes.size);
    }
    if (key->kind == SHF_KEY_TEXT && !shf_utf8_valid(key->as.bytes.data, key->as.bytes.size)) {
        return shf_error_set(error, SHF_E_INVALID, "the text key is not valid UTF-8; give it as bytes");
    }
    return SHF_OK;
}

shf_status shf_route_by_hash(uint32_t num_dbs, const shf_key *key, uint32_t *shard, struct shf_error **error) {
    assert(num_dbs > 0);
    shf_status status = shf_key_check(key, error);
    if (status) return status;

    /* Canonical bytes: 8 little-endian signed for integers, else as they are. */
    uint8_t integer[8];
    const void *data = key->as.bytes.data;
    size_t size = key->as.bytes.size;
    if (key->kind == SHF_KEY_INT || key->kind == SHF_KEY_UINT) {
        if (key->kind == SHF_KEY_UINT && key->as.uint_value > INT64_MAX) {
            return shf_error_set(error, SHF_E_INVALID,
                                 "integer key %" PRIu64 " is out of the range that HASH sharding "
                                 "routes, [-9223372036854775808, 9223372036854775807]",
                                 key->as.uint_value);
        }
        shf_store_u64le(integer, key->kind == SHF_KEY_INT ? (uint64_t)key->as.int_value : key->as.uint_value);
        data = integer;
        size = sizeof integer;
    }
    *shard = (uint32_t)(shf_hash64(size ? data : "", size) % num_dbs);
    return SHF_OK;
}

/* u64be and u32be: an integer of that width, or its bytes ready-made. */
static shf_status encode_integer(const char *name, unsigned width, const shf_key *key, struct shf_stored_key *out,
                                 struct shf_error **error) {
    if (key->kind == SHF_KEY_TEXT) {
        return shf_error_set(error, SHF_E_INVALID, "%s key encoding takes integer keys (or exactly %u bytes), not text",
                             name, width);
    }
    if (key->kind == SHF_KEY_BYTES) {
        if (key->as.bytes.size != width) {
            return shf_error_set(error, SHF_E_INVALID, "%s key encoding takes bytes keys of exactly %u bytes, not %zu",
                                 name, width, key->as.bytes.size);
        }
        out->bytes = key->as.bytes;
        return SHF_OK;
    }
    uint64_t value = key->kind == SHF_KEY_INT ? (uint64_t)key->as.int_value : key->as.uint_value;
    bool negative = key->kind == SHF_KEY_INT && key->as.int_value < 0;
    if (negative || (width == 4 && value > UINT32_MAX)) {
        return shf_error_set(error, SHF_E_INVALID, "%s key encoding takes integers in [0, 2^%u-1], not %s%" PRIu64,
                             name, width * 8, negative ? "-" : "", negative ? 0 - value : value);
    }
    for (unsigned i = 0; i < width; i++) out->scratch[i] = (uint8_t)(value >> (8 * (width - 1 - i)));
    out->bytes = (shf_slice){out->scratch, width};
    return SHF_OK;
}

shf_status shf_key_encode(enum shf_key_encoding encoding, const shf_key *key, struct shf_stored_key *out,
                          struct shf_error **error) {
    shf_status status = shf_key_check(key, error);
    if (status) return status;
    if (encoding == SHF_ENCODING_U64BE) return encode_integer("u64be", 8, key, out, error);
    if (encoding == SHF_ENCODING_U32BE) return encode_integer("u32be", 4, key, out, error);
    assert(encoding == SHF_ENCODING_UTF8 || encoding == SHF_ENCODING_RAW);
    if (key->kind != SHF_KEY_TEXT && key->kind != SHF_KEY_BYTES) {
        return shf_error_set(error, SHF_E_INVALID, "%s key encoding takes text or bytes keys, not %s",
                             encoding == SHF_ENCODING_UTF8 ? "utf8" : "raw",
                             key->kind == SHF_KEY_INT ? "an integer" : "an unsigned integer");
    }
    out->bytes = (shf_slice){key->as.bytes.size ? key->as.bytes.data : "", key->as.bytes.size};
    return SHF_OK;
}
