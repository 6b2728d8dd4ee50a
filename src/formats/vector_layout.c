#include "formats/vector_layout.h"

#include "base/cursor.h"
#include "base/hash.h"
#include "base/limits.h"

#include <inttypes.h>
#include <string.h>

#define HEADER_BYTES 4096u
#define ALIGNMENT 64u
#define VERSION 1u

/* Offsets within the header; all integers little-endian. */
enum {
    AT_MAGIC = 0,
    AT_VERSION = 8,
    AT_DIMENSION = 12,
    AT_ROWS = 16,
    AT_VECTORS = 24,
    AT_NORMS = 32,
    AT_ROWIDS = 40,
    AT_TOTAL = 48,
    AT_IDENTITY = 56,
    AT_CHECKSUM = 88 /* XXH3-128 of the bytes before it */
};

static const uint8_t magic[8] = {'S', 'H', 'F', 'V', 'E', 'C', '\r', '\n'};

/* Appends a section of rows * row_bytes; false on overflow. *end is a multiple of ALIGNMENT before and after. */
static bool add_section(uint64_t rows, uint64_t row_bytes, uint64_t *end) {
    uint64_t size;
    if (__builtin_mul_overflow(rows, row_bytes, &size) || __builtin_add_overflow(*end, size, end)) return false;
    if (__builtin_add_overflow(*end, ALIGNMENT - 1, end)) return false;
    *end -= *end % ALIGNMENT;
    return true;
}

shf_status shf_vector_layout_plan(uint32_t dimension, uint64_t rows, struct shf_vector_layout *out,
                                  struct shf_error **error) {
    struct shf_vector_layout layout = {.dimension = dimension, .rows = rows};
    uint64_t end = HEADER_BYTES;
    bool fits = dimension >= 1 && dimension <= SHF_LIMIT_DIMENSION;
    layout.vectors_offset = end;
    fits = fits && add_section(rows, (uint64_t)dimension * sizeof(float), &end);
    layout.norms_offset = end;
    fits = fits && add_section(rows, sizeof(double), &end);
    layout.rowids_offset = end;
    fits = fits && add_section(rows, sizeof(int64_t), &end);
    layout.total_size = end;
    if (!fits || end > PTRDIFF_MAX) {
        return shf_error_set(error, SHF_E_LIMIT, "%" PRIu64 " vectors of %" PRIu32 " dimensions can not be laid out",
                             rows, dimension);
    }
    *out = layout;
    return SHF_OK;
}

void shf_vector_layout_write_header(const struct shf_vector_layout *layout, const uint8_t identity[32], uint8_t *bytes) {
    memset(bytes, 0, HEADER_BYTES);
    memcpy(bytes + AT_MAGIC, magic, sizeof magic);
    shf_store_u32le(bytes + AT_VERSION, VERSION);
    shf_store_u32le(bytes + AT_DIMENSION, layout->dimension);
    shf_store_u64le(bytes + AT_ROWS, layout->rows);
    shf_store_u64le(bytes + AT_VECTORS, layout->vectors_offset);
    shf_store_u64le(bytes + AT_NORMS, layout->norms_offset);
    shf_store_u64le(bytes + AT_ROWIDS, layout->rowids_offset);
    shf_store_u64le(bytes + AT_TOTAL, layout->total_size);
    memcpy(bytes + AT_IDENTITY, identity, 32);
    shf_hash128(bytes, AT_CHECKSUM, bytes + AT_CHECKSUM);
}

static shf_status refuse(struct shf_error **error, const char *what) {
    return shf_error_set(error, SHF_E_INDEX, "laid-out vectors: %s; remove the file, it will be made again", what);
}

shf_status shf_vector_layout_open(const uint8_t *bytes, uint64_t size, const uint8_t identity[32],
                                  struct shf_vector_layout *out, struct shf_error **error) {
    struct shf_vector_layout layout;
    uint8_t checksum[16];
    if (size < HEADER_BYTES) return refuse(error, "the file is shorter than its header");
    if (memcmp(bytes + AT_MAGIC, magic, sizeof magic) != 0) return refuse(error, "the magic is wrong");
    if (shf_load_u32le(bytes + AT_VERSION) != VERSION) return refuse(error, "the version is another one");
    shf_hash128(bytes, AT_CHECKSUM, checksum);
    if (memcmp(bytes + AT_CHECKSUM, checksum, sizeof checksum) != 0)
        return refuse(error, "the checksum of the header is wrong");
    if (memcmp(bytes + AT_IDENTITY, identity, 32) != 0) return refuse(error, "they are of another shard");
    shf_status status =
        shf_vector_layout_plan(shf_load_u32le(bytes + AT_DIMENSION), shf_load_u64le(bytes + AT_ROWS), &layout, NULL);
    if (status || layout.vectors_offset != shf_load_u64le(bytes + AT_VECTORS) ||
        layout.norms_offset != shf_load_u64le(bytes + AT_NORMS) ||
        layout.rowids_offset != shf_load_u64le(bytes + AT_ROWIDS) ||
        layout.total_size != shf_load_u64le(bytes + AT_TOTAL)) {
        return refuse(error, "the header contradicts itself");
    }
    if (layout.total_size != size) return refuse(error, "the file is not of the size that its header says");
    *out = layout;
    return SHF_OK;
}
