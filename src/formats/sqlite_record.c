/* Records (section 2.1) and their texts. */
#include "base/alloc.h"
#include "base/text.h"
#include "formats/sqlite.h"
#include "formats/sqlite_priv.h"

#include <inttypes.h>
#include <string.h>

#define MAX_HEADER_BYTES (9 * (SHF_LIMIT_RECORD_COLUMNS + 1))

static shf_status bad_record(struct shf_error **error, const char *what) {
    return shf_error_set(error, SHF_E_CORRUPT, "SQLite record: %s; the file is damaged", what);
}

/* The value of a number column; its bytes may lie in the chain. */
static shf_status read_number(const struct shf_sqlite *db, const struct shf_sqlite_payload *payload, uint64_t serial,
                              struct shf_sqlite_column *column, struct shf_error **error) {
    if (serial >= 8) {
        column->integer = (int64_t)serial - 8;
        return SHF_OK;
    }
    uint8_t bytes[8];
    shf_status status = shf_sqlite_payload_copy(db, payload, column->offset, column->size, bytes, error);
    if (status) return status;
    uint64_t value = bytes[0] & 0x80 && serial < 7 ? UINT64_MAX : 0; /* sign */
    for (uint64_t i = 0; i < column->size; i++) value = value << 8 | bytes[i];
    if (serial < 7) {
        column->integer = (int64_t)value;
    } else {
        memcpy(&column->real, &value, sizeof column->real);
        if (column->real != column->real) column->type = SHF_SQLITE_NULL; /* SQLite has no NaN: it reads them as NULL */
    }
    return SHF_OK;
}

static shf_status read_column(const struct shf_sqlite *db, const struct shf_sqlite_payload *payload, uint64_t serial,
                              uint64_t offset, struct shf_sqlite_column *column, struct shf_error **error) {
    *column = (struct shf_sqlite_column){.offset = offset};
    if (!shf_sqlite_serial_size(serial, &column->size)) return bad_record(error, "serial types 10 and 11 mean nothing");
    if (column->size > payload->size - offset) return bad_record(error, "a column reaches beyond the end");
    if (serial == 0) return SHF_OK;
    if (serial >= 12) {
        column->type = serial & 1 ? SHF_SQLITE_TEXT : SHF_SQLITE_BLOB;
        return SHF_OK;
    }
    column->type = serial == 7 ? SHF_SQLITE_REAL : SHF_SQLITE_INTEGER;
    return read_number(db, payload, serial, column, error);
}

shf_status shf_sqlite_record_decode(const struct shf_sqlite *db, const struct shf_sqlite_payload *payload,
                                    struct shf_sqlite_record *out, struct shf_error **error) {
    uint8_t buffer[MAX_HEADER_BYTES];
    const uint8_t *header = payload->local, *at = header;
    uint64_t header_size, serial;
    if (!shf_sqlite_varint(&at, header + payload->local_size, &header_size) || header_size < (size_t)(at - header) ||
        header_size > payload->size) {
        return bad_record(error, "the length of its header is wrong");
    }
    if (header_size > payload->local_size) { /* the header itself goes on in the chain */
        if (header_size > sizeof buffer) return bad_record(error, "too many columns");
        shf_status status = shf_sqlite_payload_copy(db, payload, 0, header_size, buffer, error);
        if (status) return status;
        at = buffer + (at - header);
        header = buffer;
    }
    const uint8_t *end = header + header_size;
    uint64_t offset = header_size;
    out->payload = *payload;
    out->column_count = 0;
    while (at < end) {
        if (out->column_count == SHF_LIMIT_RECORD_COLUMNS) return bad_record(error, "too many columns");
        if (!shf_sqlite_varint(&at, end, &serial)) return bad_record(error, "a serial type is cut");
        struct shf_sqlite_column *column = &out->columns[out->column_count++];
        shf_status status = read_column(db, payload, serial, offset, column, error);
        if (status) return status;
        offset += column->size;
    }
    if (offset != payload->size) return bad_record(error, "bytes are left over after its columns");
    return SHF_OK;
}

const uint8_t *shf_sqlite_column_in_place(const struct shf_sqlite_record *record, const struct shf_sqlite_column *column) {
    uint32_t local = record->payload.local_size;
    if (column->size > local || column->offset > local - column->size) return NULL;
    return record->payload.local + column->offset;
}

shf_status shf_sqlite_column_copy(const struct shf_sqlite *db, const struct shf_sqlite_record *record,
                                  const struct shf_sqlite_column *column, void *out, struct shf_error **error) {
    return shf_sqlite_payload_copy(db, &record->payload, column->offset, column->size, out, error);
}

/* ---- texts ---- */

static uint32_t utf16_unit(const uint8_t *p, bool is_big) {
    return is_big ? (uint32_t)p[0] << 8 | p[1] : (uint32_t)p[1] << 8 | p[0];
}

static size_t utf8_put(uint32_t c, char *out) {
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t lead[5] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = size - 1; i > 0; i--, c >>= 6) out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(lead[size] | c);
    return size;
}

/* *out gets a fresh text; false when a surrogate stands alone. *out NULL without memory. */
static bool utf16_to_utf8(const uint8_t *p, size_t size, bool is_big, char **out, size_t *out_size) {
    size_t used = 0;
    char *text = shf_alloc(size / 2 * 3 + 1); /* a unit gives at most 3 bytes, a pair 4; size is at most 2^31 */
    *out = text;
    if (!text) return true;
    if (size % 2 != 0) return false;
    for (size_t i = 0; i < size; i += 2) {
        uint32_t c = utf16_unit(p + i, is_big);
        if (c >= 0xd800 && c < 0xe000) {
            uint32_t low = i + 4 <= size ? utf16_unit(p + i + 2, is_big) : 0;
            if (c >= 0xdc00 || low < 0xdc00 || low >= 0xe000) return false;
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            i += 2;
        }
        used += utf8_put(c, text + used);
    }
    text[used] = '\0';
    *out_size = used;
    return true;
}

shf_status shf_sqlite_column_text(const struct shf_sqlite *db, const struct shf_sqlite_record *record,
                                  const struct shf_sqlite_column *column, size_t max_bytes, char **out, size_t *size,
                                  struct shf_error **error) {
    if (column->size > max_bytes) {
        return shf_error_set(error, SHF_E_LIMIT, "SQLite record: a text of %" PRIu64 " bytes; at most %zu are read",
                             column->size, max_bytes);
    }
    size_t length = (size_t)column->size;
    char *text = shf_alloc(length + 1);
    if (!text) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a text of %zu bytes", length);
    shf_status status = shf_sqlite_column_copy(db, record, column, text, error);
    if (!status && db->text != SHF_SQLITE_UTF8 && column->type == SHF_SQLITE_TEXT) {
        char *converted;
        bool is_valid = utf16_to_utf8((const uint8_t *)text, length, db->text == SHF_SQLITE_UTF16BE, &converted, &length);
        shf_free(text);
        text = converted;
        if (!text)
            return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a text of %" PRIu64 " bytes", column->size);
        if (!is_valid) status = bad_record(error, "a text is not UTF-16");
    } else if (!status) {
        text[length] = '\0';
        if (!shf_utf8_valid(text, length)) status = bad_record(error, "a text is not UTF-8");
    }
    if (!status && memchr(text, '\0', length)) status = bad_record(error, "a text holds a NUL character");
    if (status) {
        shf_free(text);
        return status;
    }
    *out = text;
    if (size) *size = length;
    return SHF_OK;
}
