/* Options of readers and writers from a dict of Python: names and meanings are those of the C structs. */
#include "reader.h"
#include "writer.h"

#include <stddef.h>
#include <string.h>

enum field_kind { FIELD_TEXT, FIELD_U32, FIELD_I32, FIELD_U64, FIELD_I64, FIELD_BYTES };

struct field {
    const char *name;
    enum field_kind kind;
    size_t offset;
};

#define READER_FIELD(name, kind)                                                                                       \
    { #name, kind, offsetof(shf_reader_options, name) }
static const struct field reader_fields[] = {
    READER_FIELD(url, FIELD_TEXT),
    READER_FIELD(local_root, FIELD_TEXT),
    READER_FIELD(flags, FIELD_U32),
    READER_FIELD(manifest_ref, FIELD_TEXT),
    READER_FIELD(manifest, FIELD_BYTES),
    READER_FIELD(current_pointer_key, FIELD_TEXT),
    READER_FIELD(history_offset, FIELD_U32),
    READER_FIELD(max_fallback_attempts, FIELD_I32),
    READER_FIELD(access_mode, FIELD_U32),
    READER_FIELD(max_concurrency, FIELD_U32),
    READER_FIELD(max_open_shards, FIELD_U32),
    READER_FIELD(auto_per_shard_bytes, FIELD_U64),
    READER_FIELD(auto_total_bytes, FIELD_U64),
    READER_FIELD(cache_max_bytes, FIELD_U64),
    READER_FIELD(timeout_ms, FIELD_I64),
};

#define WRITER_FIELD(name, kind)                                                                                       \
    { #name, kind, offsetof(shf_writer_options, name) }
static const struct field writer_fields[] = {
    WRITER_FIELD(flags, FIELD_U32),
    WRITER_FIELD(url, FIELD_TEXT),
    WRITER_FIELD(run_id, FIELD_TEXT),
    WRITER_FIELD(local_root, FIELD_TEXT),
    WRITER_FIELD(backend, FIELD_U32),
    WRITER_FIELD(num_dbs, FIELD_U32),
    WRITER_FIELD(max_keys_per_shard, FIELD_U64),
    WRITER_FIELD(key_encoding, FIELD_TEXT),
    WRITER_FIELD(key_column, FIELD_TEXT),
    WRITER_FIELD(metric, FIELD_TEXT),
    WRITER_FIELD(custom, FIELD_TEXT),
    WRITER_FIELD(dimension, FIELD_U32),
    WRITER_FIELD(page_size, FIELD_U32),
    WRITER_FIELD(memory_bytes, FIELD_U64),
    WRITER_FIELD(jobs, FIELD_U32),
    WRITER_FIELD(shard_attempts, FIELD_U32),
    WRITER_FIELD(seed, FIELD_U64),
    WRITER_FIELD(timeout_ms, FIELD_I64),
    WRITER_FIELD(cel_expr, FIELD_TEXT),
    WRITER_FIELD(cel_columns, FIELD_TEXT),
    WRITER_FIELD(routing_values, FIELD_TEXT),
    WRITER_FIELD(infer_routing_values, FIELD_U32),
    WRITER_FIELD(num_probes, FIELD_U32),
    WRITER_FIELD(vector_sharding, FIELD_TEXT),
    WRITER_FIELD(hash_bits, FIELD_U32),
    WRITER_FIELD(training_rows, FIELD_U32),
    WRITER_FIELD(training_rounds, FIELD_U32),
};

#define S3_FIELD(name, kind)                                                                                           \
    { #name, kind, offsetof(shf_s3_options, name) }
static const struct field s3_fields[] = {
    S3_FIELD(addressing, FIELD_U32),
    S3_FIELD(endpoint_url, FIELD_TEXT),
    S3_FIELD(region, FIELD_TEXT),
    S3_FIELD(access_key_id, FIELD_TEXT),
    S3_FIELD(secret_access_key, FIELD_TEXT),
    S3_FIELD(session_token, FIELD_TEXT),
    S3_FIELD(profile, FIELD_TEXT),
    S3_FIELD(ca_bundle, FIELD_TEXT),
    S3_FIELD(anonymous, FIELD_U32),
    S3_FIELD(insecure_skip_verify, FIELD_U32),
    S3_FIELD(connect_timeout_ms, FIELD_U32),
    S3_FIELD(read_timeout_ms, FIELD_U32),
    S3_FIELD(max_attempts, FIELD_U32),
};

static bool text_from(struct module_state *state, const char *name, PyObject *value, const char **out) {
    Py_ssize_t size;
    const char *text = PyUnicode_Check(value) ? PyUnicode_AsUTF8AndSize(value, &size) : NULL;
    if (text && strlen(text) == (size_t)size) {
        *out = text;
        return true;
    }
    PyErr_Clear();
    (void)raise_invalid(state, "%s must be text without a zero byte, or None", name);
    return false;
}

static bool number_from(struct module_state *state, const char *name, PyObject *value, int64_t least, uint64_t most,
                        uint64_t *out) {
    int overflow = 0;
    long long number = PyLong_Check(value) ? PyLong_AsLongLongAndOverflow(value, &overflow) : -1;
    if (PyLong_Check(value) && !overflow && number >= least && (number < 0 || (unsigned long long)number <= most)) {
        *out = (uint64_t)number;
        return true;
    }
    PyErr_Clear();
    (void)raise_invalid(state, "%s must be an int from %lld to %llu", name, (long long)least, (unsigned long long)most);
    return false;
}

static bool store_number(struct module_state *state, const struct field *field, PyObject *value, char *at) {
    uint64_t number = 0;
    switch (field->kind) {
    case FIELD_U32:
        if (!number_from(state, field->name, value, 0, UINT32_MAX, &number)) return false;
        memcpy(at, &(uint32_t){(uint32_t)number}, sizeof(uint32_t));
        return true;
    case FIELD_I32:
        if (!number_from(state, field->name, value, INT32_MIN, INT32_MAX, &number)) return false;
        memcpy(at, &(int32_t){(int32_t)number}, sizeof(int32_t));
        return true;
    default:
        if (!number_from(state, field->name, value, field->kind == FIELD_I64 ? INT64_MIN : 0, INT64_MAX, &number))
            return false;
        memcpy(at, &number, sizeof number);
        return true;
    }
}

static bool store(struct module_state *state, const struct field *field, PyObject *value, char *options) {
    char *at = options + field->offset;
    if (field->kind == FIELD_TEXT) {
        const char *text;
        if (!text_from(state, field->name, value, &text)) return false;
        memcpy(at, &text, sizeof text);
        return true;
    }
    if (field->kind != FIELD_BYTES) return store_number(state, field, value, at);
    if (!PyBytes_Check(value)) {
        (void)raise_invalid(state, "%s must be bytes, or None", field->name);
        return false;
    }
    shf_slice slice = {PyBytes_AsString(value), (size_t)PyBytes_Size(value)};
    memcpy(at, &slice, sizeof slice);
    return true;
}

/* Fields that are not in the dict, or None there, keep what they have. */
static bool fields_from(struct module_state *state, PyObject *dict, const struct field *fields, size_t count,
                        char *options) {
    for (size_t i = 0; i < count; i++) {
        PyObject *value = PyDict_GetItemString(dict, fields[i].name);
        if (value && value != Py_None && !store(state, &fields[i], value, options)) return false;
    }
    return true;
}

bool s3_options_from(struct module_state *state, PyObject *dict, shf_s3_options *out) {
    SHF_INIT(out);
    return fields_from(state, dict, s3_fields, sizeof s3_fields / sizeof *s3_fields, (char *)out);
}

static bool allowed_from(struct module_state *state, PyObject *value, struct reader_settings *out) {
    const size_t most = sizeof out->allowed_prefixes / sizeof *out->allowed_prefixes - 1;
    out->allowed = PySequence_Tuple(value);
    if (!out->allowed) return false;
    size_t count = (size_t)PyTuple_Size(out->allowed);
    if (count > most) {
        (void)raise_invalid(state, "at most %zu allowed_prefixes", most);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        PyObject *prefix = PyTuple_GetItem(out->allowed, (Py_ssize_t)i);
        if (!text_from(state, "each of allowed_prefixes", prefix, &out->allowed_prefixes[i])) return false;
    }
    out->allowed_prefixes[count] = NULL;
    out->options.allowed_prefixes = out->allowed_prefixes;
    return true;
}

static bool is_dict(PyObject *object, const char *what) {
    if (!PyDict_Check(object)) PyErr_Format(PyExc_TypeError, "%s must be a dict", what);
    return PyDict_Check(object);
}

/* Those in dict["s3"]: into `storage`, which *out points at then. */
static bool s3_of(struct module_state *state, PyObject *dict, shf_s3_options *storage, const shf_s3_options **out) {
    PyObject *s3 = PyDict_GetItemString(dict, "s3");
    if (!s3 || s3 == Py_None) return true;
    if (!is_dict(s3, "s3") || !s3_options_from(state, s3, storage)) return false;
    *out = storage;
    return true;
}

/* `rows` vectors of the snapshot's dimension, when they are given. */
static bool table_of(struct module_state *state, PyObject *dict, const char *name, uint32_t rows, uint32_t dimension,
                     struct vectors *table, const float **out) {
    PyObject *given = PyDict_GetItemString(dict, name);
    if (!given || given == Py_None) return true;
    if (vectors_from_many(state, given, table) && table->count == rows && table->dimension == dimension) {
        *out = table->data;
        return true;
    }
    if (PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_MemoryError)) return false;
    PyErr_Clear();
    (void)raise_invalid(state, "%s must be an array of numbers of shape (%u, %u)", name, (unsigned int)rows,
                        (unsigned int)dimension);
    return false;
}

bool writer_settings_from(struct module_state *state, PyObject *dict, struct writer_settings *out) {
    shf_writer_options *options = &out->options;
    SHF_INIT(options);
    out->centroids = out->hyperplanes = (struct vectors){0};
    bool made =
        is_dict(dict, "options") &&
        fields_from(state, dict, writer_fields, sizeof writer_fields / sizeof *writer_fields, (char *)options) &&
        s3_of(state, dict, &out->s3, &options->s3) &&
        table_of(state, dict, "centroids", options->num_dbs, options->dimension, &out->centroids, &options->centroids) &&
        table_of(state, dict, "hyperplanes", options->hash_bits, options->dimension, &out->hyperplanes,
                 &options->hyperplanes);
    if (!made) writer_settings_clear(out);
    return made;
}

void writer_settings_clear(struct writer_settings *settings) {
    vectors_clear(&settings->centroids);
    vectors_clear(&settings->hyperplanes);
}

bool reader_settings_from(struct module_state *state, PyObject *dict, struct reader_settings *out) {
    SHF_INIT(&out->options);
    out->allowed = NULL;
    if (!is_dict(dict, "options") ||
        !fields_from(state, dict, reader_fields, sizeof reader_fields / sizeof *reader_fields, (char *)&out->options) ||
        !s3_of(state, dict, &out->s3, &out->options.s3)) {
        return false;
    }
    PyObject *allowed = PyDict_GetItemString(dict, "allowed_prefixes");
    if (!allowed || allowed == Py_None || allowed_from(state, allowed, out)) return true;
    reader_settings_clear(out);
    return false;
}

void reader_settings_clear(struct reader_settings *settings) { Py_CLEAR(settings->allowed); }
