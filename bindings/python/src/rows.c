/* Rows from columns, see writer.h. */
#include "vectors.h"
#include "writer.h"

#define ROWS_MOST 65536

static const char *const column_names[ROW_COLUMNS] = {"keys",     "values",   "vectors", "ids",
                                                      "payloads", "contexts", "shards"};

/* Copies, since another thread may change a list while the lock is not held. */
static bool columns_from(const struct writer_object *writer, PyObject *const columns[ROW_COLUMNS], struct rows *out) {
    PyObject **tuples[ROW_COLUMNS] = {&out->keys,  &out->values,  &out->components, &out->ids,
                                      &out->texts, &out->columns, &out->shards};
    size_t first = writer->is_vectors_alone ? 2 : 0;
    for (size_t i = first; i < ROW_COLUMNS; i++) {
        bool is_needed = i < 2 || (i < 5 ? writer->dimension > 0 : columns[i] != Py_None);
        if (!is_needed) continue;
        *tuples[i] = PySequence_Tuple(columns[i]);
        if (!*tuples[i]) return false;
        size_t count = (size_t)PyTuple_Size(*tuples[i]);
        if (i == first) out->count = count;
        if (count == out->count && count >= 1 && count <= ROWS_MOST) continue;
        (void)raise_invalid(writer->state, "%zu %s for %zu rows: a call writes 1 to %d rows, with all columns", count,
                            column_names[i], out->count, ROWS_MOST);
        return false;
    }
    return true;
}

static bool reserve(const struct writer_object *writer, struct rows *out) {
    out->rows = PyMem_Calloc(out->count, sizeof *out->rows);
    if (writer->dimension) out->vectors = PyMem_Calloc(out->count * writer->dimension, sizeof *out->vectors);
    if (out->rows && (out->vectors || !writer->dimension)) return true;
    (void)PyErr_NoMemory();
    return false;
}

/* Puts "row N: " before the message of the exception that is set, when it is one of this package. */
static bool at_row(const struct writer_object *writer, unsigned long long row) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    PyObject *text = value ? PyObject_Str(value) : NULL;
    const char *message = text ? PyUnicode_AsUTF8AndSize(text, NULL) : NULL;
    if (message) {
        (void)raise_invalid(writer->state, "row %llu: %.400s", row, message);
    } else {
        (void)raise_invalid(writer->state, "row %llu is wrong", row);
    }
    Py_XDECREF(text);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return false;
}

static bool key_of_row(const struct writer_object *writer, PyObject *object, shf_row *row) {
    if (!key_from(writer->state, object, &row->key)) return at_row(writer, row->origin);
    if (writer->is_text_encoded && row->key.kind == SHF_KEY_BYTES) row->key.kind = SHF_KEY_TEXT;
    return true;
}

static bool value_of_row(const struct writer_object *writer, PyObject *object, struct rows *rows, shf_row *row) {
    PyObject *bytes = object;
    if (!PyBytes_Check(object)) {
        if (!PyObject_CheckBuffer(object)) {
            (void)raise_invalid(writer->state, "row %llu: a value must be bytes, or another object with a buffer",
                                (unsigned long long)row->origin);
            return false;
        }
        if (!rows->copies && !(rows->copies = PyList_New(0))) return false;
        bytes = PyBytes_FromObject(object);
        if (!bytes) return false;
        int status = PyList_Append(rows->copies, bytes);
        Py_DECREF(bytes); /* the list holds it */
        if (status) return false;
    }
    row->value = (shf_slice){PyBytes_AsString(bytes), (size_t)PyBytes_Size(bytes)};
    return true;
}

/* None: the key. */
static bool id_of_row(const struct writer_object *writer, PyObject *object, shf_row *row) {
    if (object == Py_None && !writer->is_vectors_alone) return true;
    shf_key key = {0};
    bool is_id = object != Py_None && !PyBytes_Check(object);
    if (is_id && !key_from(writer->state, object, &key)) return at_row(writer, row->origin);
    if (key.kind == SHF_KEY_INT) {
        row->id = (shf_vector_id){.kind = SHF_ID_INT, .int_value = key.as.int_value};
        return true;
    }
    if (key.kind == SHF_KEY_TEXT) {
        row->id = (shf_vector_id){.kind = SHF_ID_TEXT, .text = key.as.bytes};
        return true;
    }
    (void)raise_invalid(writer->state, "row %llu: an id must be an int from -2^63 to 2^63-1 or a str",
                        (unsigned long long)row->origin);
    return false;
}

/* Text of JSON, or None. */
static bool payload_of_row(const struct writer_object *writer, PyObject *object, shf_row *row) {
    if (object == Py_None) return true;
    Py_ssize_t size;
    const char *text = PyUnicode_Check(object) ? PyUnicode_AsUTF8AndSize(object, &size) : NULL;
    if (text) {
        row->payload = (shf_slice){text, (size_t)size};
        return true;
    }
    PyErr_Clear();
    (void)raise_invalid(writer->state, "row %llu: a payload must be the text of a JSON object, or None",
                        (unsigned long long)row->origin);
    return false;
}

static bool shard_of_row(const struct writer_object *writer, PyObject *object, shf_row *row) {
    if (object == Py_None) {
        (void)raise_invalid(writer->state, "row %llu: EXPLICIT sharding requires shard_id; this row has none",
                            (unsigned long long)row->origin);
        return false;
    }
    return whole_number(writer->state, object, "shard_id", 0, &row->shard) || at_row(writer, row->origin);
}

static bool row_from(const struct writer_object *writer, struct rows *rows, size_t index) {
    Py_ssize_t at = (Py_ssize_t)index;
    shf_row *row = &rows->rows[index];
    if (rows->keys && (!key_of_row(writer, PyTuple_GetItem(rows->keys, at), row) ||
                       !value_of_row(writer, PyTuple_GetItem(rows->values, at), rows, row))) {
        return false;
    }
    if (rows->shards && !shard_of_row(writer, PyTuple_GetItem(rows->shards, at), row)) return false;
    if (!writer->dimension) return true;
    float *vector = rows->vectors + index * writer->dimension;
    row->dimension = writer->dimension;
    row->vector = vector;
    return vector_of_row(writer->state, PyTuple_GetItem(rows->components, at), row->origin, writer->dimension, vector) &&
           id_of_row(writer, PyTuple_GetItem(rows->ids, at), row) &&
           payload_of_row(writer, PyTuple_GetItem(rows->texts, at), row);
}

bool rows_from(const struct writer_object *writer, PyObject *const columns[ROW_COLUMNS], unsigned long long first,
               struct rows *out) {
    *out = (struct rows){0};
    bool made = columns_from(writer, columns, out) && reserve(writer, out);
    for (size_t i = 0; made && i < out->count; i++) {
        SHF_INIT(&out->rows[i]);
        out->rows[i].origin = first + i;
        made = row_from(writer, out, i);
    }
    if (made && out->columns) made = row_contexts_from(writer, out);
    if (!made) rows_clear(out);
    return made;
}

void rows_clear(struct rows *rows) {
    PyMem_Free(rows->rows);
    PyMem_Free(rows->vectors);
    Py_XDECREF(rows->keys);
    Py_XDECREF(rows->values);
    Py_XDECREF(rows->components);
    Py_XDECREF(rows->ids);
    Py_XDECREF(rows->texts);
    Py_XDECREF(rows->shards);
    Py_XDECREF(rows->copies);
    row_contexts_clear(rows);
    *rows = (struct rows){0};
}
