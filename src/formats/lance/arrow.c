/*
 * Deletion files of type Arrow: an IPC file with one record batch of one column `row_id` (unsigned, 32 bits, not sorted), whose
 * buffers may be compressed with zstd. https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format
 */
#include "base/alloc.h"
#include "base/cursor.h"
#include "formats/flatbuffer.h"
#include "formats/lance/deletions_priv.h"
#include "formats/lance/memory_priv.h"
#include "formats/zstd_frame.h"

#include <inttypes.h>
#include <string.h>

#define MAGIC "ARROW1"
#define MAGIC_BYTES 6u
#define BLOCK_BYTES 24u /* i64 offset, i32 bytes of metadata, 4 of padding, i64 bytes of body */
#define PAIR_BYTES 16u  /* FieldNode: i64 length, i64 nulls. Buffer: i64 offset, i64 length */
#define CONTINUATION UINT32_C(0xffffffff)

enum { FOOTER_SCHEMA = 1, FOOTER_DICTIONARIES = 2, FOOTER_BATCHES = 3 };
enum { SCHEMA_ENDIANNESS = 0, SCHEMA_FIELDS = 1 };
enum { FIELD_NAME = 0, FIELD_TYPE_KIND = 2, FIELD_TYPE = 3, FIELD_DICTIONARY = 4 };
enum { TYPE_INT = 2, INT_BITS = 0, INT_IS_SIGNED = 1 };
enum { MESSAGE_HEADER_KIND = 1, MESSAGE_HEADER = 2, HEADER_RECORD_BATCH = 3 };
enum { BATCH_LENGTH = 0, BATCH_NODES = 1, BATCH_BUFFERS = 2, BATCH_COMPRESSION = 3 };
enum { COMPRESSION_CODEC = 0, COMPRESSION_METHOD = 1, CODEC_ZSTD = 1 };

static shf_status bad(struct shf_error **error, const char *what) {
    return shf_error_set(error, SHF_E_CORRUPT, "%s", what);
}

/* ---- footer and schema ---- */

static shf_status check_field(const struct shf_flat_table *field, struct shf_error **error) {
    static const char wanted[] = "row_id";
    struct shf_flat_table type, dictionary;
    const uint8_t *name;
    size_t name_size;
    (void)shf_flat_bytes(field, FIELD_NAME, &name, &name_size);
    uint8_t kind = shf_flat_u8(field, FIELD_TYPE_KIND);
    bool has_dictionary = shf_flat_table(field, FIELD_DICTIONARY, &dictionary);
    bool has_type = shf_flat_table(field, FIELD_TYPE, &type);
    shf_status status = shf_flat_status(field->flat, "its schema", 0, error);
    if (status) return status;
    if (name_size != sizeof wanted - 1 || memcmp(name, wanted, name_size) != 0) {
        return bad(error, "its column is not row_id");
    }
    if (kind != TYPE_INT || !has_type || has_dictionary) return bad(error, "its column is not one of integers");
    uint32_t bits = shf_flat_u32(&type, INT_BITS);
    bool is_signed = shf_flat_u8(&type, INT_IS_SIGNED) != 0;
    status = shf_flat_status(field->flat, "its schema", 0, error);
    if (status) return status;
    return bits == 32 && !is_signed ? SHF_OK : bad(error, "its column is not one of unsigned integers of 32 bits");
}

static shf_status check_schema(const struct shf_flat_table *footer, struct shf_error **error) {
    struct shf_flat_table schema, field;
    struct shf_flat_vector fields;
    bool has_schema = shf_flat_table(footer, FOOTER_SCHEMA, &schema);
    bool is_big_endian = shf_flat_u16(&schema, SCHEMA_ENDIANNESS, 0) != 0;
    (void)shf_flat_tables(&schema, SCHEMA_FIELDS, &fields);
    shf_status status = shf_flat_status(footer->flat, "its schema", 0, error);
    if (status) return status;
    if (!has_schema) return bad(error, "it has no schema");
    if (is_big_endian) return shf_error_set(error, SHF_E_UNSUPPORTED, "big-endian Arrow files are not read");
    if (fields.count != 1) return bad(error, "it has not one column");
    (void)shf_flat_table_at(&fields, 0, &field);
    status = shf_flat_status(footer->flat, "its schema", 0, error);
    return status ? status : check_field(&field, error);
}

struct block {
    struct shf_cursor metadata, body;
};

/* The only record batch of the file. */
static shf_status find_batch(const uint8_t *data, size_t size, struct block *out, struct shf_error **error) {
    struct shf_flat_table footer;
    const uint8_t *blocks, *dictionaries;
    uint32_t count, dictionary_count;
    size_t tail = 4 + MAGIC_BYTES;
    if (size < 8 + tail || memcmp(data, MAGIC, MAGIC_BYTES) != 0 ||
        memcmp(data + size - MAGIC_BYTES, MAGIC, MAGIC_BYTES) != 0) {
        return bad(error, "it does not begin and end like an Arrow file");
    }
    uint32_t footer_size = shf_load_u32le(data + size - tail);
    if (footer_size > size - 8 - tail) return bad(error, "its footer is larger than the file");
    struct shf_flat flat = shf_flat_of(data + size - tail - footer_size, footer_size);
    (void)shf_flat_root(&flat, &footer);
    (void)shf_flat_structs(&footer, FOOTER_DICTIONARIES, BLOCK_BYTES, &dictionaries, &dictionary_count);
    (void)shf_flat_structs(&footer, FOOTER_BATCHES, BLOCK_BYTES, &blocks, &count);
    shf_status status = shf_flat_status(&flat, "its footer", 0, error);
    if (!status) status = check_schema(&footer, error);
    if (status) return status;
    if (dictionary_count != 0 || count != 1) {
        return shf_error_set(error, SHF_E_UNSUPPORTED,
                             "Arrow files of %" PRIu32 " record batches and %" PRIu32
                             " dictionaries are not read, only of one batch",
                             count, dictionary_count);
    }
    uint64_t offset = shf_load_u64le(blocks), body_size = shf_load_u64le(blocks + 16);
    uint32_t metadata_size = shf_load_u32le(blocks + 8);
    if (offset > size || metadata_size > size - offset || body_size > size - offset - metadata_size) {
        return bad(error, "its record batch is not within the file");
    }
    out->metadata = shf_cursor_of(data + offset, metadata_size);
    out->body = shf_cursor_of(data + offset + metadata_size, (size_t)body_size);
    return SHF_OK;
}

/* ---- the batch ---- */

struct batch {
    uint64_t rows;
    struct shf_cursor values; /* as they lie in the body */
    bool is_zstd;
    uint8_t *unpacked; /* charged */
    uint64_t unpacked_bytes;
};

/* Metadata: 0xffffffff (not in old files), i32 bytes of the message, the message. */
static bool open_message(struct shf_cursor metadata, struct shf_flat *out) {
    uint32_t size;
    if (!shf_cursor_u32le(&metadata, &size)) return false;
    if (size == CONTINUATION && !shf_cursor_u32le(&metadata, &size)) return false;
    if (size > metadata.left) return false;
    *out = shf_flat_of(metadata.at, size);
    return true;
}

static shf_status check_compression(const struct shf_flat_table *table, bool *is_zstd, struct shf_error **error) {
    struct shf_flat_table compression;
    *is_zstd = shf_flat_table(table, BATCH_COMPRESSION, &compression);
    uint8_t codec = shf_flat_u8(&compression, COMPRESSION_CODEC), method = shf_flat_u8(&compression, COMPRESSION_METHOD);
    shf_status status = shf_flat_status(table->flat, "its record batch", 0, error);
    if (status || !*is_zstd || (codec == CODEC_ZSTD && method == 0)) return status;
    return shf_error_set(error, SHF_E_UNSUPPORTED, "the Arrow compression %s (method %u) is not read, only zstd",
                         codec == 0   ? "LZ4"
                         : codec == 1 ? "zstd"
                                      : "of an unknown codec",
                         method);
}

static shf_status read_batch(const struct block *block, struct batch *out, struct shf_error **error) {
    struct shf_flat flat;
    struct shf_flat_table message, table = {0};
    const uint8_t *nodes, *buffers;
    uint32_t node_count, buffer_count;
    if (!open_message(block->metadata, &flat)) return bad(error, "its record batch is cut");
    (void)shf_flat_root(&flat, &message);
    bool is_batch = shf_flat_u8(&message, MESSAGE_HEADER_KIND) == HEADER_RECORD_BATCH;
    if (is_batch) is_batch = shf_flat_table(&message, MESSAGE_HEADER, &table);
    shf_status status = shf_flat_status(&flat, "its record batch", 0, error);
    if (status) return status;
    if (!is_batch) return bad(error, "its record batch is none");
    out->rows = shf_flat_u64(&table, BATCH_LENGTH);
    (void)shf_flat_structs(&table, BATCH_NODES, PAIR_BYTES, &nodes, &node_count);
    (void)shf_flat_structs(&table, BATCH_BUFFERS, PAIR_BYTES, &buffers, &buffer_count);
    status = shf_flat_status(&flat, "its record batch", 0, error);
    if (status) return status;
    if (node_count != 1 || buffer_count != 2 || shf_load_u64le(nodes) != out->rows) {
        return bad(error, "its record batch is not one of one column");
    }
    if (shf_load_u64le(nodes + 8) != 0) return bad(error, "its column has nulls");
    uint64_t offset = shf_load_u64le(buffers + PAIR_BYTES), size = shf_load_u64le(buffers + PAIR_BYTES + 8);
    if (offset > block->body.left || size > block->body.left - offset) {
        return bad(error, "its values are not within its record batch");
    }
    if (size > 0) out->values = shf_cursor_of(block->body.at + offset, (size_t)size);
    return check_compression(&table, &out->is_zstd, error);
}

/* Compressed buffers: i64 size of the content, -1 = it follows as it is; an empty one stays empty. */
static shf_status unpack_values(struct batch *batch, struct shf_budget *budget, struct shf_error **error) {
    uint64_t content_size;
    if (!batch->is_zstd || batch->values.left == 0) return SHF_OK;
    if (!shf_cursor_u64le(&batch->values, &content_size)) return bad(error, "its values are cut");
    if (content_size == UINT64_MAX) return SHF_OK;
    if (content_size != batch->rows * 4) return bad(error, "its values have another size than its rows");
    shf_status status = shf_lance_memory_take(budget, content_size, "unpacking the deletions of a Lance fragment", error);
    if (status) return status;
    batch->unpacked_bytes = content_size;
    status = shf_zstd_value_unpack(batch->values.at, batch->values.left, content_size, &batch->unpacked, error);
    if (!status) batch->values = shf_cursor_of(batch->unpacked, (size_t)content_size);
    return status;
}

shf_status shf_lance_deletions_arrow(const uint8_t *data, size_t size, struct shf_lance_deletions *deletions,
                                     struct shf_error **error) {
    struct block block = {0};
    struct batch batch = {0};
    shf_status status = find_batch(data, size, &block, error);
    if (!status) status = read_batch(&block, &batch, error);
    if (!status && batch.rows > deletions->rows) status = bad(error, "it deletes more rows than there are");
    if (!status) status = unpack_values(&batch, deletions->budget, error);
    for (uint64_t i = 0; !status && i < batch.rows; i++) {
        uint32_t row;
        status = shf_cursor_u32le(&batch.values, &row) ? shf_lance_delete_row(deletions, row, error)
                                                       : bad(error, "its values are cut");
    }
    shf_free(batch.unpacked);
    shf_lance_memory_give(deletions->budget, batch.unpacked_bytes);
    return status;
}
