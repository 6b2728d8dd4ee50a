#include "formats/lance/file.h"

#include "base/cursor.h"
#include "formats/lance/protobuf.h"

#include <inttypes.h>
#include <string.h>

#define TABLE_ENTRY_BYTES 16u

enum { DESCRIPTOR_LENGTH = 2 };

static shf_status bad(struct shf_error **error, const char *what) {
    return shf_error_set(error, SHF_E_CORRUPT, "Lance file: %s", what);
}

static bool find_version(uint32_t major, uint32_t minor, enum shf_lance_version *out) {
    static const struct {
        uint16_t major, minor;
        enum shf_lance_version version;
    } known[] = {{0, 3, SHF_LANCE_2_0}, {2, 0, SHF_LANCE_2_0}, {2, 1, SHF_LANCE_2_1}, {2, 2, SHF_LANCE_2_2}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].major != major || known[i].minor != minor) continue;
        *out = known[i].version;
        return true;
    }
    return false;
}

/* The table lies between the metadata and the footer. */
static bool table_fits(const struct shf_lance_footer *footer, uint64_t table, uint32_t entries) {
    uint64_t end = footer->metadata.offset + footer->metadata.size - SHF_LANCE_FOOTER_BYTES;
    return table >= footer->metadata.offset && table <= end && entries <= (end - table) / TABLE_ENTRY_BYTES;
}

shf_status shf_lance_footer_parse(const void *footer, size_t size, uint64_t file_size, struct shf_lance_footer *out,
                                  struct shf_error **error) {
    struct shf_lance_footer parsed = {0};
    const uint8_t *p = footer;
    if (size != SHF_LANCE_FOOTER_BYTES || file_size < SHF_LANCE_FOOTER_BYTES) {
        return bad(error, "it is too short to have a footer");
    }
    if (memcmp(p + 36, "LANC", 4) != 0) return bad(error, "it does not end with LANC");
    uint32_t version = shf_load_u32le(p + 32);
    if (!find_version(version & 0xffff, version >> 16, &parsed.version)) {
        return shf_error_set(error, SHF_E_UNSUPPORTED,
                             "Lance file: its version is %" PRIu32 ".%" PRIu32 "; 2.0 (0.3), 2.1 and 2.2 are read",
                             version & 0xffff, version >> 16);
    }
    parsed.metadata.offset = shf_load_u64le(p);
    parsed.columns_table = shf_load_u64le(p + 8);
    parsed.buffers_table = shf_load_u64le(p + 16);
    parsed.buffer_count = shf_load_u32le(p + 24);
    parsed.column_count = shf_load_u32le(p + 28);
    if (parsed.metadata.offset > file_size - SHF_LANCE_FOOTER_BYTES) {
        return shf_error_set(error, SHF_E_CORRUPT,
                             "Lance file: its metadata begins at offset %" PRIu64 " of a file of %" PRIu64,
                             parsed.metadata.offset, file_size);
    }
    parsed.metadata.size = file_size - parsed.metadata.offset;
    if (!table_fits(&parsed, parsed.columns_table, parsed.column_count)) {
        return bad(error, "the table of its columns is not within its metadata");
    }
    if (!table_fits(&parsed, parsed.buffers_table, parsed.buffer_count)) {
        return bad(error, "the table of its buffers is not within its metadata");
    }
    *out = parsed;
    return SHF_OK;
}

static shf_status table_entry(const struct shf_lance_source *source, uint64_t table, uint32_t index,
                              struct shf_lance_range *out, struct shf_error **error) {
    const uint8_t *entry;
    shf_status status = shf_lance_source_get(source, table + (uint64_t)index * TABLE_ENTRY_BYTES, TABLE_ENTRY_BYTES,
                                             "Lance file: its tables", &entry, error);
    if (!status) *out = (struct shf_lance_range){shf_load_u64le(entry), shf_load_u64le(entry + 8)};
    return status;
}

shf_status shf_lance_descriptor_range(const struct shf_lance_source *source, const struct shf_lance_footer *footer,
                                      struct shf_lance_range *out, struct shf_error **error) {
    struct shf_lance_range range;
    if (footer->buffer_count == 0) return bad(error, "it has no descriptor");
    shf_status status = table_entry(source, footer->buffers_table, 0, &range, error);
    if (status) return status;
    if (range.offset > source->size || range.size > source->size - range.offset) {
        return bad(error, "its descriptor is not within the file");
    }
    *out = range;
    return SHF_OK;
}

static shf_status read_rows(const uint8_t *data, size_t size, uint64_t *out, struct shf_error **error) {
    struct shf_protobuf message = shf_protobuf_of(data, size);
    struct shf_protobuf_field field;
    uint64_t rows = 0;
    while (shf_protobuf_next(&message, &field)) {
        if (field.number == DESCRIPTOR_LENGTH) rows = shf_protobuf_number(&message, &field);
    }
    if (message.is_bad) return bad(error, "its descriptor is malformed");
    if (rows > UINT64_C(1) << 32) return bad(error, "it has more than 2^32 rows");
    *out = rows;
    return SHF_OK;
}

shf_status shf_lance_file_open(struct shf_lance_file *file, const struct shf_lance_source *source,
                               struct shf_error **error) {
    struct shf_lance_file opened = {.source = *source};
    struct shf_lance_range range;
    const uint8_t *bytes;
    if (source->size < SHF_LANCE_FOOTER_BYTES) return bad(error, "it is too short to have a footer");
    shf_status status = shf_lance_source_get(source, source->size - SHF_LANCE_FOOTER_BYTES, SHF_LANCE_FOOTER_BYTES,
                                             "Lance file: its footer", &bytes, error);
    if (!status) {
        status = shf_lance_footer_parse(bytes, SHF_LANCE_FOOTER_BYTES, source->size, &opened.footer, error);
    }
    if (!status) status = shf_lance_descriptor_range(source, &opened.footer, &range, error);
    if (!status) {
        status = shf_lance_source_get(source, range.offset, range.size, "Lance file: its descriptor", &bytes, error);
    }
    if (!status) status = read_rows(bytes, (size_t)range.size, &opened.rows, error);
    if (!status) *file = opened;
    return status;
}

shf_status shf_lance_file_column(const struct shf_lance_file *file, uint32_t number, const uint8_t **data, size_t *size,
                                 struct shf_error **error) {
    struct shf_lance_range range;
    if (number >= file->footer.column_count) {
        return shf_error_set(error, SHF_E_CORRUPT,
                             "Lance file: it has %" PRIu32 " columns, the manifest wants number %" PRIu32,
                             file->footer.column_count, number);
    }
    shf_status status = table_entry(&file->source, file->footer.columns_table, number, &range, error);
    if (!status) {
        status = shf_lance_source_get(&file->source, range.offset, range.size, "Lance file: the metadata of a column",
                                      data, error);
    }
    if (!status) *size = (size_t)range.size;
    return status;
}
