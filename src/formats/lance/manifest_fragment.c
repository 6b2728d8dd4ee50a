/* One fragment of a manifest: its data files and its deletion file. */
#include "base/alloc.h"
#include "formats/lance/manifest_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { FRAGMENT_ID = 1, FRAGMENT_FILE = 2, FRAGMENT_DELETIONS = 3, FRAGMENT_ROWS = 4, FRAGMENT_ROW_IDS = 5 };
enum { FILE_PATH = 1, FILE_FIELDS = 2, FILE_COLUMNS = 3, FILE_MAJOR = 4, FILE_MINOR = 5, FILE_SIZE = 6, FILE_BASE = 7 };
enum { DELETION_TYPE = 1, DELETION_READ_VERSION = 2, DELETION_ID = 3, DELETION_ROWS = 4, DELETION_BASE = 7 };

static shf_status bad(struct shf_error **error, const char *what) {
    return shf_error_set(error, SHF_E_CORRUPT, "%s", what);
}

static shf_status refuse_base(struct shf_error **error) {
    return shf_error_set(error, SHF_E_UNSUPPORTED, "files below an external base path are not read");
}

/* ---- data files ---- */

struct data_file {
    struct shf_protobuf message;
    struct shf_protobuf_field fields, columns; /* the packed lists, which are parallel */
    struct shf_cursor path;
    uint64_t major, minor, size;
    bool has_base;
};

static bool read_data_file(struct data_file *file) {
    struct shf_protobuf_field field;
    struct shf_protobuf *message = &file->message;
    file->fields.type = file->columns.type = SHF_PROTOBUF_BYTES; /* absent = empty */
    while (shf_protobuf_next(message, &field)) {
        switch (field.number) {
        case FILE_PATH: file->path = shf_protobuf_bytes(message, &field); break;
        case FILE_FIELDS: file->fields = field; break;
        case FILE_COLUMNS: file->columns = field; break;
        case FILE_MAJOR: file->major = shf_protobuf_number(message, &field); break;
        case FILE_MINOR: file->minor = shf_protobuf_number(message, &field); break;
        case FILE_SIZE: file->size = shf_protobuf_number(message, &field); break;
        case FILE_BASE: file->has_base = true; break;
        default: break;
        }
    }
    return !message->is_bad;
}

/* 2.0 is written as 2.0 here, and as 0.3 in the files. */
static bool version_is_read(uint64_t major, uint64_t minor) {
    return (major == 2 && minor <= 2) || (major == 0 && minor == 3);
}

static shf_status find_columns(const struct shf_lance_schema *schema, struct data_file *file,
                               struct shf_lance_data_file *out, struct shf_error **error) {
    struct shf_protobuf_list fields = {0}, columns = {0};
    uint64_t id, column;
    for (;;) { /* bounded by the lists */
        bool has_id = shf_protobuf_list_next(&file->message, &file->fields, &fields, &id);
        bool has_column = shf_protobuf_list_next(&file->message, &file->columns, &columns, &column);
        if (file->message.is_bad) return bad(error, "the columns of a data file are malformed");
        if (has_id != has_column) return bad(error, "a data file has not as many columns as fields");
        if (!has_id) return SHF_OK;
        for (unsigned i = 0; i < SHF_LANCE_FIELDS; i++) {
            if (schema->ids[i] == SHF_LANCE_NO_FIELD || id != (uint64_t)schema->ids[i]) continue;
            if (column >= SHF_LANCE_NO_COLUMN) return bad(error, "the number of a column is out of range");
            if (out->columns[i] != SHF_LANCE_NO_COLUMN) return bad(error, "a data file holds one column twice");
            out->columns[i] = (uint32_t)column;
        }
    }
}

static shf_status parse_data_file(const struct shf_lance_schema *schema, struct shf_protobuf message,
                                  struct shf_lance_data_file *out, struct shf_error **error) {
    struct data_file file = {.message = message};
    for (unsigned i = 0; i < SHF_LANCE_FIELDS; i++) out->columns[i] = SHF_LANCE_NO_COLUMN;
    if (!read_data_file(&file)) return bad(error, "a data file is malformed");
    if (file.has_base) return refuse_base(error);
    if (!version_is_read(file.major, file.minor)) {
        return shf_error_set(error, SHF_E_UNSUPPORTED,
                             "a data file of version %" PRIu64 ".%" PRIu64 "; 2.0, 2.1 and 2.2 are read", file.major,
                             file.minor);
    }
    if (!shf_lance_name_is_plain(file.path.at, file.path.left)) {
        return bad(error, "the name of a data file is not a plain one");
    }
    memcpy(out->name, file.path.at, file.path.left);
    out->name[file.path.left] = '\0';
    out->size = file.size;
    return find_columns(schema, &file, out, error);
}

/* ---- deletions ---- */

static shf_status parse_deletions(struct shf_protobuf message, struct shf_lance_deletion_file *out,
                                  struct shf_error **error) {
    struct shf_protobuf_field field;
    uint64_t type = 0;
    while (shf_protobuf_next(&message, &field)) {
        switch (field.number) {
        case DELETION_TYPE: type = shf_protobuf_number(&message, &field); break;
        case DELETION_READ_VERSION: out->read_version = shf_protobuf_number(&message, &field); break;
        case DELETION_ID: out->id = shf_protobuf_number(&message, &field); break;
        case DELETION_ROWS: out->deleted_rows = shf_protobuf_number(&message, &field); break;
        case DELETION_BASE: return refuse_base(error);
        default: break;
        }
    }
    if (message.is_bad) return bad(error, "its deletion file is malformed");
    if (type > SHF_LANCE_DELETIONS_BITMAP) {
        return shf_error_set(error, SHF_E_UNSUPPORTED,
                             "a deletion file of type %" PRIu64 "; 0 (Arrow) and 1 (bitmap) are read", type);
    }
    out->type = (enum shf_lance_deletion_type)type;
    return SHF_OK;
}

void shf_lance_deletion_name(const struct shf_lance_fragment *fragment, char out[SHF_LANCE_NAME_BYTES + 1]) {
    const struct shf_lance_deletion_file *file = &fragment->deletions;
    (void)snprintf(out, SHF_LANCE_NAME_BYTES + 1, "%" PRIu32 "-%" PRIu64 "-%" PRIu64 ".%s", fragment->id,
                   file->read_version, file->id, file->type == SHF_LANCE_DELETIONS_ARROW ? "arrow" : "bin");
}

/* ---- the fragment ---- */

struct fragment {
    uint64_t id, rows;
    size_t files;
    bool has_deletions;
    struct shf_protobuf deletions;
};

static shf_status read_fragment(struct shf_protobuf message, struct fragment *out, struct shf_error **error) {
    struct shf_protobuf_field field;
    while (shf_protobuf_next(&message, &field)) {
        switch (field.number) {
        case FRAGMENT_ID: out->id = shf_protobuf_number(&message, &field); break;
        case FRAGMENT_FILE: out->files++; break;
        case FRAGMENT_DELETIONS:
            out->has_deletions = true;
            out->deletions = shf_protobuf_message(&message, &field);
            break;
        case FRAGMENT_ROWS: out->rows = shf_protobuf_number(&message, &field); break;
        case FRAGMENT_ROW_IDS: return shf_error_set(error, SHF_E_UNSUPPORTED, "stable row ids are not read");
        default: break;
        }
    }
    if (message.is_bad) return bad(error, "its message is malformed");
    if (out->id > UINT32_MAX) return bad(error, "its id has more than 32 bits");
    if (out->rows > UINT64_C(1) << 32) return bad(error, "it has more than 2^32 rows");
    return SHF_OK;
}

/* Room for a few is enough: only those that hold one of our columns are kept, and no two hold the same one. */
static shf_status read_files(const struct shf_lance_schema *schema, struct shf_protobuf message, size_t count,
                             struct shf_lance_fragment *out, struct shf_error **error) {
    struct shf_protobuf_field field;
    if (count > SHF_LIMIT_LANCE_FILES) {
        return shf_error_set(error, SHF_E_LIMIT, "%zu data files; at most %u are read", count, SHF_LIMIT_LANCE_FILES);
    }
    out->files = shf_alloc_zero(count < SHF_LANCE_FIELDS ? count : SHF_LANCE_FIELDS, sizeof *out->files);
    if (!out->files) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for its data files");
    while (shf_protobuf_next(&message, &field)) {
        struct shf_lance_data_file file = {0};
        bool is_kept = false;
        if (field.number != FRAGMENT_FILE) continue;
        shf_status status = parse_data_file(schema, shf_protobuf_message(&message, &field), &file, error);
        if (status) return status;
        if (message.is_bad) return bad(error, "a data file is malformed");
        for (unsigned i = 0; i < SHF_LANCE_FIELDS; i++) is_kept = is_kept || file.columns[i] != SHF_LANCE_NO_COLUMN;
        if (!is_kept) continue;
        if (out->file_count == SHF_LANCE_FIELDS) return bad(error, "two data files hold the same column");
        out->files[out->file_count++] = file;
    }
    return SHF_OK;
}

static shf_status check_columns(const struct shf_lance_fragment *fragment, struct shf_error **error) {
    for (unsigned i = 0; i < SHF_LANCE_FIELDS; i++) {
        size_t holders = 0;
        for (size_t file = 0; file < fragment->file_count; file++) {
            holders += fragment->files[file].columns[i] != SHF_LANCE_NO_COLUMN;
        }
        if (holders > 1) return bad(error, "two data files hold the same column");
        if (holders == 0 && i != SHF_LANCE_PAYLOAD) return bad(error, "no data file holds its ids or its vectors");
    }
    return SHF_OK;
}

shf_status shf_lance_fragment_parse(const struct shf_lance_schema *schema, struct shf_protobuf message,
                                    struct shf_lance_fragment *out, struct shf_error **error) {
    struct fragment fragment = {0};
    shf_status status = read_fragment(message, &fragment, error);
    if (status) return status;
    out->id = (uint32_t)fragment.id;
    out->rows = fragment.rows;
    out->has_deletions = fragment.has_deletions;
    if (fragment.has_deletions) {
        status = parse_deletions(fragment.deletions, &out->deletions, error);
        if (status) return status;
    }
    status = read_files(schema, message, fragment.files, out, error);
    return status ? status : check_columns(out, error);
}
