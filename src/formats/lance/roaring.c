/* Portable Roaring bitmaps of 32 bits: https://github.com/RoaringBitmap/RoaringFormatSpec */
#include "base/cursor.h"
#include "formats/lance/deletions_priv.h"

#define COOKIE_PLAIN 12346u
#define COOKIE_RUNS 12347u
#define OFFSETS_FROM 4u /* with runs, fewer containers have no table of offsets */
#define ARRAY_LIMIT 4096u
#define BITMAP_BYTES 8192u
#define CONTAINERS 65536u

struct containers {
    uint32_t count;
    const uint8_t *run_flags; /* NULL: none has runs */
    const uint8_t *heads;     /* u16 key, u16 cardinality - 1 */
};

static uint16_t load_u16le(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }

static shf_status bad(struct shf_error **error, const char *what) {
    return shf_error_set(error, SHF_E_CORRUPT, "%s", what);
}

static shf_status read_head(struct shf_cursor *c, struct containers *out, struct shf_error **error) {
    uint32_t cookie;
    *out = (struct containers){0};
    if (!shf_cursor_u32le(c, &cookie)) return bad(error, "it is too short for a bitmap");
    if ((cookie & 0xffff) == COOKIE_RUNS) {
        out->count = (cookie >> 16) + 1;
        if (!shf_cursor_bytes(c, (out->count + 7) / 8, &out->run_flags)) return bad(error, "the bitmap is cut");
    } else if (cookie != COOKIE_PLAIN) {
        return bad(error, "it does not begin like a Roaring bitmap");
    } else if (!shf_cursor_u32le(c, &out->count)) {
        return bad(error, "the bitmap is cut");
    }
    if (out->count > CONTAINERS) return bad(error, "the bitmap has more than 65536 containers");
    if (!shf_cursor_bytes(c, (size_t)out->count * 4, &out->heads)) return bad(error, "the bitmap is cut");
    if (out->run_flags && out->count < OFFSETS_FROM) return SHF_OK;
    /* The offsets are for random access; containers follow each other. */
    return shf_cursor_skip(c, (size_t)out->count * 4) ? SHF_OK : bad(error, "the bitmap is cut");
}

static shf_status read_runs(struct shf_cursor *c, uint64_t base, struct shf_lance_deletions *deletions,
                            struct shf_error **error) {
    const uint8_t *p;
    if (!shf_cursor_bytes(c, 2, &p)) return bad(error, "the bitmap is cut");
    for (uint32_t runs = load_u16le(p); runs > 0; runs--) {
        if (!shf_cursor_bytes(c, 4, &p)) return bad(error, "the bitmap is cut");
        uint32_t start = load_u16le(p), last = start + load_u16le(p + 2);
        if (last > 0xffff) return bad(error, "a run of the bitmap is longer than its container");
        for (uint32_t value = start; value <= last; value++) {
            shf_status status = shf_lance_delete_row(deletions, base + value, error);
            if (status) return status;
        }
    }
    return SHF_OK;
}

static shf_status read_array(struct shf_cursor *c, uint32_t count, uint64_t base, struct shf_lance_deletions *deletions,
                             struct shf_error **error) {
    const uint8_t *p;
    if (!shf_cursor_bytes(c, (size_t)count * 2, &p)) return bad(error, "the bitmap is cut");
    for (uint32_t i = 0; i < count; i++) {
        shf_status status = shf_lance_delete_row(deletions, base + load_u16le(p + (size_t)i * 2), error);
        if (status) return status;
    }
    return SHF_OK;
}

static shf_status read_bits(struct shf_cursor *c, uint64_t base, struct shf_lance_deletions *deletions,
                            struct shf_error **error) {
    const uint8_t *p;
    if (!shf_cursor_bytes(c, BITMAP_BYTES, &p)) return bad(error, "the bitmap is cut");
    for (uint32_t value = 0; value < BITMAP_BYTES * 8; value++) {
        if (!(p[value >> 3] >> (value & 7) & 1)) continue;
        shf_status status = shf_lance_delete_row(deletions, base + value, error);
        if (status) return status;
    }
    return SHF_OK;
}

shf_status shf_lance_deletions_roaring(const uint8_t *data, size_t size, struct shf_lance_deletions *deletions,
                                       struct shf_error **error) {
    struct shf_cursor c = shf_cursor_of(data, size);
    struct containers containers;
    shf_status status = read_head(&c, &containers, error);
    for (uint32_t i = 0; !status && i < containers.count; i++) {
        const uint8_t *head = containers.heads + (size_t)i * 4;
        uint32_t cardinality = load_u16le(head + 2) + 1u;
        uint64_t base = (uint64_t)load_u16le(head) << 16, before = deletions->deleted;
        if (i > 0 && load_u16le(head) <= load_u16le(head - 4))
            return bad(error, "the keys of the bitmap do not ascend");
        if (containers.run_flags && containers.run_flags[i >> 3] >> (i & 7) & 1) {
            status = read_runs(&c, base, deletions, error);
        } else if (cardinality <= ARRAY_LIMIT) {
            status = read_array(&c, cardinality, base, deletions, error);
        } else {
            status = read_bits(&c, base, deletions, error);
        }
        if (!status && deletions->deleted - before != cardinality) {
            return bad(error, "a container of the bitmap has not as many rows as it says");
        }
    }
    if (status) return status;
    return c.left == 0 ? SHF_OK : bad(error, "bytes follow the bitmap");
}
