/* The bloom filter of an SST. */
#include "formats/slatedb/siphash.h"
#include "formats/slatedb/table.h"

#include "base/cursor.h"

#include <inttypes.h>

static const char bloom_name[] = "_bf";

uint64_t shf_slatedb_filter_hash(struct shf_slatedb_bytes key) { return shf_siphash13(key.data, key.size); }

/* (a + b) % count of two that are below it: dividing is most of what asking a filter costs. */
static inline uint64_t add_below(uint64_t a, uint64_t b, uint64_t count) {
    uint64_t sum = a + b;
    return sum < count ? sum : sum - count;
}

bool shf_slatedb_filter_may_hold(const struct shf_slatedb_filter *filter, uint64_t hash) {
    uint64_t count = filter->bit_count;
    if (count == 0) return true;
    uint64_t h = (uint32_t)hash % count, d = (hash >> 32) % count, step = 0; /* number of the probe % count */
    for (uint32_t i = 0; i < filter->probes; i++) {
        d = add_below(d, step, count);
        if (!(filter->bits[h / 8] >> (h % 8) & 1)) return false;
        h = add_below(h, d, count);
        step = add_below(step, 1, count);
    }
    return true;
}

static shf_status read_bloom(const uint8_t *data, size_t size, struct shf_slatedb_filter *out, struct shf_error **error) {
    if (size < 2) return shf_error_set(error, SHF_E_CORRUPT, "a bloom filter of %zu bytes", size);
    *out = (struct shf_slatedb_filter){data + 2, (uint64_t)(size - 2) * 8, shf_load_u16be(data)};
    return SHF_OK;
}

static bool read_named(struct shf_cursor *c, const uint8_t **name, uint16_t *name_size, const uint8_t **data,
                       uint64_t *data_size) {
    const uint8_t *p;
    if (!shf_cursor_u16be(c, name_size) || !shf_cursor_bytes(c, *name_size, name)) return false;
    if (!shf_cursor_bytes(c, 8, &p)) return false;
    *data_size = shf_load_u64be(p);
    return *data_size <= c->left && shf_cursor_bytes(c, (size_t)*data_size, data);
}

static shf_status find_bloom(const uint8_t *bytes, size_t size, struct shf_slatedb_filter *out, struct shf_error **error) {
    struct shf_cursor c = shf_cursor_of(bytes, size);
    uint16_t count, name_size;
    if (!shf_cursor_u16be(&c, &count)) return shf_error_set(error, SHF_E_CORRUPT, "its list of filters is cut");
    for (unsigned i = 0; i < count; i++) {
        const uint8_t *name, *data;
        uint64_t data_size;
        if (!read_named(&c, &name, &name_size, &data, &data_size)) {
            return shf_error_set(error, SHF_E_CORRUPT, "filter %u of %u is cut", i + 1, count);
        }
        if (name_size != sizeof bloom_name - 1 || memcmp(name, bloom_name, name_size) != 0) continue;
        return read_bloom(data, (size_t)data_size, out, error);
    }
    return SHF_OK;
}

shf_status shf_slatedb_filter_parse(const uint8_t *data, size_t size, uint8_t format, struct shf_slatedb_filter *out,
                                    struct shf_error **error) {
    struct shf_slatedb_filter filter = {0};
    shf_status status = SHF_OK;
    if (format == SHF_SLATEDB_FILTER_LEGACY) status = read_bloom(data, size, &filter, error);
    if (format == SHF_SLATEDB_FILTER_COMPOSITE) status = find_bloom(data, size, &filter, error);
    if (!status) *out = filter;
    return status;
}
