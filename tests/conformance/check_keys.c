/* Keys, inspection and histories against what was recorded. */
#include "conformance/conformance.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

unsigned char *conformance_base64(const char *text, size_t *size) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char *out = malloc(strlen(text) + 1);
    unsigned bits = 0;
    int count = 0;
    *size = 0;
    for (; out && *text && *text != '='; text++) {
        bits = bits << 6 | (unsigned)(strchr(alphabet, *text) - alphabet);
        count += 6;
        if (count < 8) continue;
        count -= 8;
        out[(*size)++] = (unsigned char)(bits >> count);
    }
    return out;
}

void conformance_remove_tree(const char *path) {
    DIR *directory = opendir(path);
    struct dirent *entry;
    while (directory && (entry = readdir(directory)) != NULL) {
        char inner[4096];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        (void)snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        (void)unlink(inner); /* the cache has files only */
    }
    if (directory) (void)closedir(directory);
    (void)rmdir(path);
}

/* ---- keys ---- */

struct row {
    shf_key key;
    unsigned char *bytes; /* of a bytes key */
    unsigned char *value;
    size_t value_size;
    bool is_absent;
    shf_status status, route_status; /* of its get, and of its route */
    bool has_context;
    struct conformance_context context;
    int64_t shard; /* -1: not recorded */
};

/* SlateDB refuses to look for one, as it can hold none: here it is absent, as it would be in a SQLite shard. */
static bool is_empty_key(const shf_key *key) {
    return (key->kind == SHF_KEY_TEXT || key->kind == SHF_KEY_BYTES) && key->as.bytes.size == 0;
}

static void read_row(const json_t *json, struct row *row) {
    const json_t *key = json_object_get(json, "key"), *part;
    memset(row, 0, sizeof *row);
    if ((part = json_object_get(key, "int")) != NULL) {
        row->key = shf_key_from_int(json_integer_value(part));
    } else if ((part = json_object_get(key, "str")) != NULL) {
        row->key = shf_key_from_text(json_string_value(part), json_string_length(part));
    } else {
        size_t size;
        row->bytes = conformance_base64(json_string_value(json_object_get(key, "bytes")), &size);
        row->key = shf_key_from_bytes(row->bytes, size);
    }
    const char *value = json_string_value(json_object_get(json, "value"));
    row->is_absent = value == NULL;
    row->has_context = conformance_read_context(json_object_get(json, "routing_context"), &row->context);
    row->route_status = conformance_route_status(json);
    row->status = conformance_get_status(json);
    if (is_empty_key(&row->key) && row->route_status == SHF_OK) row->status = SHF_OK;
    if (value) row->value = conformance_base64(value, &row->value_size);
    const json_t *shard = json_object_get(json, "shard");
    row->shard = json_is_integer(shard) ? json_integer_value(shard) : -1;
}

static bool check_value(const shf_op *op, size_t index, const struct row *row, size_t line) {
    shf_value value;
    SHF_INIT(&value);
    if (shf_op_value(op, index, &value)) return conformance_fail("key of line %zu: no value to look at", line);
    if (row->is_absent) {
        return value.status == SHF_NOT_FOUND || conformance_fail("key of line %zu: found, must be absent", line);
    }
    if (value.status != SHF_OK) return conformance_fail("key of line %zu: absent", line);
    return (value.data.size == row->value_size && memcmp(value.data.data, row->value, row->value_size) == 0) ||
           conformance_fail("key of line %zu: other bytes (%zu, %zu recorded)", line, value.data.size, row->value_size);
}

static const shf_routing_context *context_of(const struct row *row) {
    return row->has_context ? &row->context.context : NULL;
}

static bool check_route(const shf_snapshot *snapshot, const struct row *row, size_t line) {
    uint32_t shard = 0;
    shf_error *error = NULL;
    shf_status status = shf_snapshot_route_key(snapshot, &row->key, context_of(row), &shard, &error);
    bool ok = status == row->route_status ||
              conformance_fail("key of line %zu: its route: %s", line, error ? shf_error_message(error) : "found");
    shf_error_free(error);
    if (!ok || status || row->shard < 0) return ok;
    return shard == row->shard ||
           conformance_fail("key of line %zu: routed to %u, %d recorded", line, shard, (int)row->shard);
}

static bool check_one(struct conformance *c, shf_reader *reader, const shf_snapshot *snapshot, const struct row *row,
                      size_t line) {
    shf_call call;
    shf_op_id id;
    SHF_INIT(&call);
    call.cq = c->cq;
    shf_op *op = conformance_wait(c, shf_get(reader, &row->key, context_of(row), &call, &id), &id);
    if (!op) return false;
    bool ok;
    if (row->status) {
        ok = shf_op_status(op) == row->status || conformance_fail("key of line %zu: answered, the peer refuses it", line);
    } else if (shf_op_status(op)) {
        ok = conformance_fail("key of line %zu: %s", line, shf_error_message(shf_op_error(op)));
    } else {
        ok = check_value(op, 0, row, line);
    }
    shf_op_release(op);
    return ok && check_route(snapshot, row, line);
}

/* These keys in one multi_get, and in one of twice the same. They have the context of the first one. */
static bool check_together(struct conformance *c, shf_reader *reader, const struct row *const *rows, size_t count) {
    shf_key *keys = malloc((2 * count + 1) * sizeof *keys);
    shf_call call;
    shf_op_id id;
    bool ok = true;
    SHF_INIT(&call);
    call.cq = c->cq;
    for (size_t i = 0; i < count; i++) keys[i] = keys[count + i] = rows[i]->key;
    const shf_routing_context *context = count ? context_of(rows[0]) : NULL;
    shf_op *op = conformance_wait(c, shf_multi_get(reader, keys, 2 * count, context, &call, &id), &id);
    if (!op) {
        ok = false;
    } else if (shf_op_status(op)) {
        ok = conformance_fail("multi_get: %s", shf_error_message(shf_op_error(op)));
    } else if (shf_op_value_count(op) != 2 * count) {
        ok = conformance_fail("multi_get: %zu answers for %zu keys", shf_op_value_count(op), 2 * count);
    }
    for (size_t i = 0; ok && i < 2 * count; i++) ok = check_value(op, i, rows[i % count], i % count + 1);
    shf_op_release(op);
    free(keys);
    return ok;
}

/* All keys that are answered, those of the same context together. */
static bool check_groups(struct conformance *c, shf_reader *reader, const struct row *rows, size_t count,
                         const json_t *json) {
    const struct row **group = calloc(count + 1, sizeof *group);
    bool *done = calloc(count + 1, sizeof *done), ok = true;
    for (size_t first = 0; ok && first < count; first++) {
        size_t size = 0;
        const json_t *context = json_object_get(json_array_get(json, first), "routing_context");
        for (size_t i = first; i < count; i++) {
            const json_t *other = json_object_get(json_array_get(json, i), "routing_context");
            if (done[i] || rows[i].status || (context != other && !json_equal(context, other))) continue;
            done[i] = true;
            group[size++] = &rows[i];
        }
        ok = size == 0 || check_together(c, reader, group, size);
    }
    free(group);
    free(done);
    return ok;
}

bool conformance_check_keys(struct conformance *c, shf_reader *reader, const json_t *json) {
    size_t count = json_array_size(json);
    struct row *rows = calloc(count + 1, sizeof *rows);
    shf_snapshot *snapshot = NULL;
    bool ok = count > 0 || conformance_fail("no keys are recorded");
    if (ok && shf_reader_snapshot(reader, &snapshot)) ok = conformance_fail("no snapshot");
    for (size_t i = 0; i < count; i++) {
        read_row(json_array_get(json, i), &rows[i]);
        ok = ok && check_one(c, reader, snapshot, &rows[i], i + 1);
    }
    ok = ok && check_groups(c, reader, rows, count, json);
    for (size_t i = 0; i < count; i++) {
        free(rows[i].bytes);
        free(rows[i].value);
    }
    free(rows);
    shf_snapshot_release(snapshot);
    return ok;
}

/* ---- inspection ---- */

static bool same_text(const char *what, const char *got, const json_t *wanted) {
    const char *text = json_string_value(wanted);
    if (!wanted || (json_is_null(wanted) && !got) || (text && got && strcmp(text, got) == 0)) return true;
    return conformance_fail("%s is %s, %s recorded", what, got ? got : "null", text ? text : "null");
}

static bool same_number(const char *what, uint64_t got, const json_t *wanted) {
    return !wanted || (uint64_t)json_integer_value(wanted) == got ||
           conformance_fail("%s is %llu, %lld recorded", what, (unsigned long long)got, json_integer_value(wanted));
}

/* min_key and max_key are JSON text here; recorded ones are values. */
static bool same_json(const char *what, const char *got, const json_t *wanted) {
    if (!wanted || json_is_null(wanted)) return !got || conformance_fail("%s is %s, null recorded", what, got);
    json_t *value = got ? json_loads(got, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;
    bool same = value && json_equal(value, wanted);
    json_decref(value);
    return same || conformance_fail("%s is %s, something else recorded", what, got ? got : "null");
}

static bool check_shards(const shf_snapshot *snapshot, const json_t *recorded) {
    size_t i;
    const json_t *row;
    json_array_foreach(recorded, i, row) {
        shf_shard_info info;
        SHF_INIT(&info);
        uint32_t id = (uint32_t)json_integer_value(json_object_get(row, "db_id"));
        if (shf_snapshot_shard(snapshot, id, &info)) return conformance_fail("shard %u can not be described", id);
        if (!same_number("row_count", info.row_count, json_object_get(row, "row_count")) ||
            !same_json("min_key", info.min_key, json_object_get(row, "min_key")) ||
            !same_json("max_key", info.max_key, json_object_get(row, "max_key")) ||
            !same_text("db_url", info.db_url, json_object_get(row, "db_url"))) {
            return false;
        }
    }
    return true;
}

/* The recorded ref is where the snapshot was written; ours is where it was opened: the tails are the same. */
static bool same_ref(const char *got, const json_t *wanted) {
    const char *ours = got ? strstr(got, "/manifests/") : NULL;
    const char *theirs = wanted ? strstr(json_string_value(wanted), "/manifests/") : NULL;
    return (ours && theirs && strcmp(ours, theirs) == 0) || conformance_fail("manifest_ref is %s", got);
}

bool conformance_check_info(struct conformance *c, shf_reader *reader, const json_t *info) {
    (void)c;
    const json_t *recorded = json_object_get(info, "snapshot_info"), *vectors = json_object_get(info, "vector_meta");
    shf_snapshot *snapshot = NULL;
    shf_snapshot_info ours;
    shf_vector_info meta;
    SHF_INIT(&ours);
    SHF_INIT(&meta);
    if (shf_reader_snapshot(reader, &snapshot)) return conformance_fail("no snapshot");
    bool ok = shf_snapshot_describe(snapshot, &ours) == SHF_OK &&
              same_text("run_id", ours.run_id, json_object_get(recorded, "run_id")) &&
              same_number("num_dbs", ours.num_dbs, json_object_get(recorded, "num_dbs")) &&
              same_number("row_count", ours.row_count, json_object_get(recorded, "row_count")) &&
              same_text("key_encoding", ours.key_encoding, json_object_get(recorded, "key_encoding")) &&
              same_text("hash_algorithm", ours.hash_algorithm, json_object_get(recorded, "hash_algorithm")) &&
              same_ref(ours.manifest_ref, json_object_get(recorded, "manifest_ref")) &&
              check_shards(snapshot, json_object_get(info, "shard_details"));
    if (ok && json_is_object(vectors)) {
        ok = shf_snapshot_vectors(snapshot, &meta) == SHF_OK &&
             same_number("dim", meta.dimension, json_object_get(vectors, "dim")) &&
             same_text("metric", meta.metric, json_object_get(vectors, "metric")) &&
             same_text("index_type", meta.index_type, json_object_get(vectors, "index_type")) &&
             same_text("quantization", meta.quantization, json_object_get(vectors, "quantization")) &&
             same_json("index_params", meta.index_params, json_object_get(vectors, "index_params")) &&
             same_text("backend", meta.backend, json_object_get(vectors, "backend"));
    }
    shf_snapshot_release(snapshot);
    return ok;
}

bool conformance_check_history(struct conformance *c, const json_t *history) {
    const json_t *recorded = json_object_get(history, "newest_first"), *row;
    shf_reader_options options;
    shf_call call;
    shf_op_id id;
    SHF_INIT(&options);
    SHF_INIT(&call);
    call.cq = c->cq;
    options.url = c->url;
    shf_op *op = conformance_wait(c, shf_history(c->runtime, &options, 100, &call, &id), &id);
    if (!op) return false;
    bool ok = shf_op_status(op) == SHF_OK || conformance_fail("history: %s", shf_error_message(shf_op_error(op)));
    if (ok && shf_op_manifest_count(op) != json_array_size(recorded)) {
        ok = conformance_fail("history: %zu manifests, %zu recorded", shf_op_manifest_count(op),
                              json_array_size(recorded));
    }
    size_t i;
    json_array_foreach(recorded, i, row) {
        shf_manifest_entry entry;
        SHF_INIT(&entry);
        ok = ok && shf_op_manifest(op, i, &entry) == SHF_OK && same_ref(entry.ref, json_object_get(row, "ref")) &&
             same_text("run_id", entry.run_id, json_object_get(row, "run_id"));
    }
    shf_op_release(op);
    return ok;
}
