/* The manifest: its tail, its flags, its fields. */
#include "formats/lance/manifest.h"

#include "base/alloc.h"
#include "formats/lance/manifest_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TAIL_BYTES 16u
#define KNOWN_READER_FLAGS UINT64_C(13) /* deletion files, the newer format (deprecated), table configuration */
#define STABLE_ROW_IDS UINT64_C(2)

enum { /* of Manifest */
       MANIFEST_FIELD = 1,
       MANIFEST_FRAGMENT = 2,
       MANIFEST_VERSION = 3,
       MANIFEST_READER_FLAGS = 9,
       MANIFEST_DATA_FORMAT = 15,
       MANIFEST_BASE_PATHS = 18
};
enum { FIELD_NAME = 2, FIELD_ID = 3, FIELD_PARENT = 4, FIELD_LOGICAL_TYPE = 5 };
enum { FORMAT_NAME = 1, FORMAT_VERSION = 2 };

static shf_status bad(struct shf_error **error, const char *what) {
    return shf_error_set(error, SHF_E_CORRUPT, "Lance manifest: %s", what);
}

/* ---- the tail ---- */

/* Last 16 bytes: u64 position, u16 major, u16 minor, "LANC"; at the position u32 length, and the message up to the tail. */
static shf_status find_message(const uint8_t *data, size_t size, struct shf_protobuf *out, struct shf_error **error) {
    if (size < TAIL_BYTES + 4) return bad(error, "the file is too short to be one");
    const uint8_t *tail = data + size - TAIL_BYTES;
    uint64_t position = shf_load_u64le(tail);
    uint32_t version = shf_load_u32le(tail + 8), major = version & 0xffff, minor = version >> 16;
    if (memcmp(tail + 12, "LANC", 4) != 0) return bad(error, "it does not end with LANC");
    if (major != 0 || minor < 1 || minor > 2) {
        return shf_error_set(error, SHF_E_UNSUPPORTED,
                             "Lance manifest: its format is %" PRIu32 ".%" PRIu32 "; 0.1 and 0.2 are read", major, minor);
    }
    if (position > size - TAIL_BYTES - 4) {
        return shf_error_set(error, SHF_E_CORRUPT,
                             "Lance manifest: its message begins at offset %" PRIu64 " of a file of %zu", position, size);
    }
    uint32_t length = shf_load_u32le(data + position);
    if (length != size - TAIL_BYTES - 4 - position) return bad(error, "its message does not end where the tail begins");
    *out = shf_protobuf_of(data + position + 4, length);
    return SHF_OK;
}

/* ---- fields ---- */

struct field {
    struct shf_cursor name, type;
    int64_t id, parent;
};

static bool read_field(struct shf_protobuf message, struct field *out) {
    struct shf_protobuf_field field;
    *out = (struct field){0};
    while (shf_protobuf_next(&message, &field)) {
        switch (field.number) {
        case FIELD_NAME: out->name = shf_protobuf_bytes(&message, &field); break;
        case FIELD_ID: out->id = (int64_t)shf_protobuf_number(&message, &field); break;
        case FIELD_PARENT: out->parent = (int64_t)shf_protobuf_number(&message, &field); break;
        case FIELD_LOGICAL_TYPE: out->type = shf_protobuf_bytes(&message, &field); break;
        default: break;
        }
    }
    return !message.is_bad;
}

static const char *const field_names[SHF_LANCE_FIELDS] = {"id", "vector", "payload"};

static shf_status refuse_type(struct shf_error **error, const char *name, struct shf_cursor type, const char *wanted) {
    char shown[64] = "";
    for (size_t i = 0; i < type.left && i + 1 < sizeof shown; i++) {
        shown[i] = (char)(type.at[i] >= 0x20 && type.at[i] < 0x7f ? type.at[i] : '?');
        shown[i + 1] = '\0';
    }
    return shf_error_set(error, SHF_E_INDEX, "Lance manifest: the column %s has the type \"%s\"; only %s is read", name,
                         shown, wanted);
}

/* "fixed_size_list:float:DIMENSION" */
static shf_status read_dimension(struct shf_cursor type, uint32_t *out, struct shf_error **error) {
    static const char start[] = "fixed_size_list:float:";
    static const char wanted[] = "fixed_size_list of float";
    size_t skip = sizeof start - 1;
    uint32_t value = 0;
    if (type.left <= skip || memcmp(type.at, start, skip) != 0) return refuse_type(error, "vector", type, wanted);
    for (size_t i = skip; i < type.left; i++) {
        uint8_t c = type.at[i];
        if (c < '0' || c > '9') return refuse_type(error, "vector", type, wanted);
        value = value * 10 + (uint32_t)(c - '0');
        if (value > SHF_LIMIT_DIMENSION) {
            return shf_error_set(error, SHF_E_LIMIT, "Lance manifest: the vectors have more than %u dimensions",
                                 SHF_LIMIT_DIMENSION);
        }
    }
    if (value == 0) return refuse_type(error, "vector", type, wanted);
    *out = value;
    return SHF_OK;
}

static shf_status take_field(struct shf_lance_manifest *manifest, struct shf_lance_schema *schema,
                             struct shf_protobuf message, struct shf_error **error) {
    struct field field;
    if (!read_field(message, &field)) return bad(error, "a field is malformed");
    if (field.parent != -1) return SHF_OK; /* part of another one */
    for (unsigned i = 0; i < SHF_LANCE_FIELDS; i++) {
        if (!shf_protobuf_is_text(field.name, field_names[i])) continue;
        if (field.id < 0 || field.id > INT32_MAX) return bad(error, "the id of a field is out of range");
        if (schema->ids[i] != SHF_LANCE_NO_FIELD) return bad(error, "two columns have the same name");
        for (unsigned other = 0; other < SHF_LANCE_FIELDS; other++) {
            if (schema->ids[other] == field.id) return bad(error, "two columns have the same id");
        }
        schema->ids[i] = (int32_t)field.id;
        if (i == SHF_LANCE_VECTOR) return read_dimension(field.type, &manifest->dimension, error);
        if (shf_protobuf_is_text(field.type, "string")) return SHF_OK;
        return refuse_type(error, field_names[i], field.type, "string");
    }
    return SHF_OK;
}

/* ---- flags, versions ---- */

static shf_status check_flags(uint64_t flags, struct shf_error **error) {
    if (flags & STABLE_ROW_IDS) {
        return shf_error_set(error, SHF_E_UNSUPPORTED, "Lance manifest: stable row ids are not read");
    }
    if (flags & ~KNOWN_READER_FLAGS) {
        return shf_error_set(error, SHF_E_UNSUPPORTED, "Lance manifest: unknown reader feature flags 0x%" PRIx64,
                             flags & ~KNOWN_READER_FLAGS);
    }
    return SHF_OK;
}

static shf_status check_format(struct shf_protobuf message, struct shf_error **error) {
    struct shf_protobuf_field field;
    struct shf_cursor name = {0}, version = {0};
    while (shf_protobuf_next(&message, &field)) {
        if (field.number == FORMAT_NAME) name = shf_protobuf_bytes(&message, &field);
        if (field.number == FORMAT_VERSION) version = shf_protobuf_bytes(&message, &field);
    }
    if (message.is_bad) return bad(error, "the format of its data is malformed");
    if (!shf_protobuf_is_text(name, "lance")) {
        return shf_error_set(error, SHF_E_UNSUPPORTED, "Lance manifest: its data files are not in the format lance");
    }
    if (shf_protobuf_is_text(version, "2.0") || shf_protobuf_is_text(version, "2.1") ||
        shf_protobuf_is_text(version, "2.2")) {
        return SHF_OK;
    }
    char shown[16] = "";
    for (size_t i = 0; i < version.left && i + 1 < sizeof shown; i++) {
        shown[i] = (char)(version.at[i] > 0x20 && version.at[i] < 0x7f ? version.at[i] : '?');
    }
    return shf_error_set(error, SHF_E_UNSUPPORTED,
                         "Lance manifest: its data files have version %s; 2.0, 2.1 and 2.2 are read", shown);
}

/* What stands before the fragments in meaning: they need the schema, which may be anywhere in the message. */
static shf_status read_header(struct shf_lance_manifest *manifest, struct shf_lance_schema *schema,
                              struct shf_protobuf message, struct shf_error **error) {
    struct shf_protobuf_field field;
    bool has_format = false;
    shf_status status = SHF_OK;
    while (!status && shf_protobuf_next(&message, &field)) {
        switch (field.number) {
        case MANIFEST_FIELD:
            status = take_field(manifest, schema, shf_protobuf_message(&message, &field), error);
            break;
        case MANIFEST_FRAGMENT: manifest->fragment_count++; break;
        case MANIFEST_VERSION: manifest->version = shf_protobuf_number(&message, &field); break;
        case MANIFEST_READER_FLAGS: status = check_flags(shf_protobuf_number(&message, &field), error); break;
        case MANIFEST_DATA_FORMAT:
            has_format = true;
            status = check_format(shf_protobuf_message(&message, &field), error);
            break;
        case MANIFEST_BASE_PATHS:
            return shf_error_set(error, SHF_E_UNSUPPORTED, "Lance manifest: external base paths are not read");
        default: break;
        }
    }
    if (status) return status;
    if (message.is_bad) return bad(error, "its message is malformed");
    if (!has_format) {
        return shf_error_set(error, SHF_E_UNSUPPORTED,
                             "Lance manifest: its data files have the version before 2.0; 2.0, 2.1 and 2.2 are read");
    }
    for (unsigned i = 0; i < SHF_LANCE_PAYLOAD; i++) {
        if (schema->ids[i] != SHF_LANCE_NO_FIELD) continue;
        return shf_error_set(error, SHF_E_INDEX, "Lance manifest: the table has no column %s", field_names[i]);
    }
    manifest->has_payload = schema->ids[SHF_LANCE_PAYLOAD] != SHF_LANCE_NO_FIELD;
    return SHF_OK;
}

/* ---- fragments ---- */

static int compare_ids(const void *a, const void *b) {
    uint32_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

static shf_status check_ids(const struct shf_lance_manifest *manifest, struct shf_error **error) {
    bool is_twice = false;
    uint32_t *ids = shf_alloc_array(manifest->fragment_count, sizeof *ids);
    if (!ids) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the fragments of a Lance manifest");
    for (size_t i = 0; i < manifest->fragment_count; i++) ids[i] = manifest->fragments[i].id;
    qsort(ids, manifest->fragment_count, sizeof *ids, compare_ids);
    for (size_t i = 1; i < manifest->fragment_count; i++) is_twice = is_twice || ids[i] == ids[i - 1];
    shf_free(ids);
    return is_twice ? bad(error, "two fragments have the same id") : SHF_OK;
}

static int compare_names(const void *a, const void *b) {
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

/* A file belongs to one fragment: a few bytes of the manifest must not multiply the rows of a large one. */
static shf_status check_names(const struct shf_lance_manifest *manifest, size_t files, struct shf_error **error) {
    size_t at = 0;
    shf_status status = SHF_OK;
    const char **names = shf_alloc_array(files, sizeof *names);
    if (!names) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the files of a Lance manifest");
    for (size_t i = 0; i < manifest->fragment_count; i++) {
        const struct shf_lance_fragment *fragment = &manifest->fragments[i];
        for (size_t file = 0; file < fragment->file_count; file++) names[at++] = fragment->files[file].name;
    }
    qsort(names, files, sizeof *names, compare_names);
    for (size_t i = 1; i < files && !status; i++) {
        if (strcmp(names[i], names[i - 1]) != 0) continue;
        status = shf_error_set(error, SHF_E_CORRUPT, "Lance manifest: it has the data file %s twice", names[i]);
    }
    shf_free(names);
    return status;
}

static shf_status read_fragments(struct shf_lance_manifest *manifest, const struct shf_lance_schema *schema,
                                 struct shf_protobuf message, struct shf_error **error) {
    struct shf_protobuf_field field;
    size_t count = manifest->fragment_count, at = 0, files = 0;
    if (count > SHF_LIMIT_LANCE_FRAGMENTS) {
        return shf_error_set(error, SHF_E_LIMIT, "Lance manifest: %zu fragments; at most %u are read", count,
                             SHF_LIMIT_LANCE_FRAGMENTS);
    }
    manifest->fragments = shf_alloc_zero(count, sizeof *manifest->fragments);
    if (!manifest->fragments) {
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the fragments of a Lance manifest");
    }
    while (at < count && shf_protobuf_next(&message, &field)) {
        if (field.number != MANIFEST_FRAGMENT) continue;
        shf_status status =
            shf_lance_fragment_parse(schema, shf_protobuf_message(&message, &field), &manifest->fragments[at], error);
        if (status && error) shf_error_prefix(error, "Lance manifest, fragment %zu", at);
        if (status) return status;
        if (message.is_bad) return bad(error, "a fragment is malformed");
        files += manifest->fragments[at++].file_count;
        if (files > SHF_LIMIT_LANCE_ALL_FILES) {
            return shf_error_set(error, SHF_E_LIMIT, "Lance manifest: more than %u data files",
                                 SHF_LIMIT_LANCE_ALL_FILES);
        }
    }
    shf_status status = check_ids(manifest, error);
    return status ? status : check_names(manifest, files, error);
}

shf_status shf_lance_manifest_parse(const void *data, size_t size, uint64_t version, struct shf_lance_manifest **out,
                                    struct shf_error **error) {
    struct shf_protobuf message;
    struct shf_lance_schema schema = {{SHF_LANCE_NO_FIELD, SHF_LANCE_NO_FIELD, SHF_LANCE_NO_FIELD}};
    shf_status status = find_message(data, size, &message, error);
    if (status) return status;
    struct shf_lance_manifest *manifest = shf_alloc_zero(1, sizeof *manifest);
    if (!manifest) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a Lance manifest");
    status = read_header(manifest, &schema, message, error);
    if (!status && manifest->version != version) {
        status =
            shf_error_set(error, SHF_E_CORRUPT, "Lance manifest: it is of version %" PRIu64 ", its name says %" PRIu64,
                          manifest->version, version);
    }
    if (!status) status = read_fragments(manifest, &schema, message, error);
    if (status) {
        shf_lance_manifest_free(manifest);
        return status;
    }
    *out = manifest;
    return SHF_OK;
}

void shf_lance_manifest_free(struct shf_lance_manifest *manifest) {
    if (!manifest) return;
    for (size_t i = 0; manifest->fragments && i < manifest->fragment_count; i++) shf_free(manifest->fragments[i].files);
    shf_free(manifest->fragments);
    shf_free(manifest);
}
