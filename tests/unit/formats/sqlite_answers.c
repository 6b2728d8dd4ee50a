#include "sqlite_answers.h"

#include "base/alloc.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_STEPS 2000 /* of a thousand instructions of libsqlite3 each, for one statement */

/* ---- answers ---- */

void answer_free(struct answer *answer) {
    free(answer->bytes);
    *answer = (struct answer){0};
}

bool answer_equal(const struct answer *a, const struct answer *b) {
    if (a->kind != b->kind) return false;
    return a->kind != ANSWER_FOUND || (a->size == b->size && (a->size == 0 || memcmp(a->bytes, b->bytes, a->size) == 0));
}

static void begin(struct answer *answer, enum answer_kind kind) {
    answer->kind = kind;
    answer->size = 0;
}

/* Room for `size` more bytes. */
static uint8_t *extend(struct answer *answer, size_t size) {
    if (answer->size + size > answer->capacity) {
        answer->capacity = 2 * (answer->size + size);
        answer->bytes = realloc(answer->bytes, answer->capacity);
        assert_non_null(answer->bytes);
    }
    answer->size += size;
    return answer->bytes + answer->size - size;
}

static void add(struct answer *answer, enum shf_sqlite_type type, const void *value, size_t size) {
    uint8_t *to = extend(answer, 1 + sizeof size + size);
    to[0] = (uint8_t)type;
    memcpy(to + 1, &size, sizeof size);
    if (size) memcpy(to + 1 + sizeof size, value, size);
}

/* ---- libsqlite3 ---- */

static int too_long(void *left) { return --*(int *)left < 0; }
static int steps_left;

static sqlite3_stmt *prepare(struct peer *peer, const char *sql) {
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(peer->db, sql, -1, &statement, NULL) != SQLITE_OK) return NULL;
    return statement;
}

static void prepare_table(struct peer *peer, const struct sample_table *table, struct peer_table *out) {
    char sql[512];
    size_t used = (size_t)snprintf(sql, sizeof sql, "SELECT t._rowid_");
    for (size_t i = 0; i < SAMPLE_MAX_COLUMNS && table->columns[i]; i++)
        used += (size_t)snprintf(sql + used, sizeof sql - used, ", t.%s", table->columns[i]);
    (void)snprintf(sql + used, sizeof sql - used, " FROM %s AS t NOT INDEXED", table->name);
    out->scan = prepare(peer, sql);
    (void)snprintf(sql + strlen(sql), sizeof sql - strlen(sql), " WHERE t._rowid_ = ?");
    out->find = prepare(peer, sql);
}

void peer_open(struct peer *peer, const struct sample *sample, uint8_t *bytes, size_t size) {
    *peer = (struct peer){0};
    assert_int_equal(sqlite3_open(":memory:", &peer->db), SQLITE_OK);
    int status = sqlite3_deserialize(peer->db, "main", bytes, (sqlite3_int64)size, (sqlite3_int64)size,
                                     SQLITE_DESERIALIZE_READONLY);
    assert_int_equal(status, SQLITE_OK);
    assert_int_equal(sqlite3_db_config(peer->db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL), SQLITE_OK);
    sqlite3_progress_handler(peer->db, 1000, too_long, &steps_left);
    steps_left = MOST_STEPS;
    if (sample->key_count) {
        peer->get = prepare(peer, "SELECT v, k FROM kv WHERE k = ?");
        peer->has = prepare(peer, "SELECT ?1 IN (SELECT k FROM kv)");
        peer->kv_scan = prepare(peer, "SELECT k, v FROM kv NOT INDEXED");
    }
    for (size_t i = 0; i < sample->table_count; i++) prepare_table(peer, &sample->tables[i], &peer->tables[i]);
}

void peer_close(struct peer *peer) {
    sqlite3_finalize(peer->get);
    sqlite3_finalize(peer->has);
    sqlite3_finalize(peer->kv_scan);
    for (size_t i = 0; i < SAMPLE_MAX_TABLES; i++) {
        sqlite3_finalize(peer->tables[i].find);
        sqlite3_finalize(peer->tables[i].scan);
    }
    assert_int_equal(sqlite3_close(peer->db), SQLITE_OK);
}

static void add_peer_column(sqlite3_stmt *statement, int column, struct answer *out) {
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER: {
        int64_t integer = sqlite3_column_int64(statement, column);
        add(out, SHF_SQLITE_INTEGER, &integer, sizeof integer);
        break;
    }
    case SQLITE_FLOAT: {
        double real = sqlite3_column_double(statement, column);
        add(out, SHF_SQLITE_REAL, &real, sizeof real);
        break;
    }
    case SQLITE_NULL: add(out, SHF_SQLITE_NULL, NULL, 0); break;
    default: { /* the bytes of a text as they are stored, whatever the encoding */
        const void *bytes = sqlite3_column_blob(statement, column);
        bool is_text = sqlite3_column_type(statement, column) == SQLITE_TEXT;
        add(out, is_text ? SHF_SQLITE_TEXT : SHF_SQLITE_BLOB, bytes, (size_t)sqlite3_column_bytes(statement, column));
        break;
    }
    }
}

static void next(sqlite3_stmt *scan, int columns, struct answer *out) {
    begin(out, ANSWER_REFUSED);
    if (!scan) return;
    steps_left = MOST_STEPS;
    int status = sqlite3_step(scan);
    if (status == SQLITE_DONE) begin(out, ANSWER_ABSENT);
    if (status != SQLITE_ROW) return;
    out->kind = ANSWER_FOUND;
    for (int i = 0; i < columns; i++) add_peer_column(scan, i, out);
}

void peer_next(sqlite3_stmt *scan, struct answer *out) { next(scan, scan ? sqlite3_column_count(scan) : 0, out); }

/* The value of a row of kv is bytes: whether it was stored as a blob or as a text is no difference. */
static void take_as_bytes(struct answer *out) {
    if (out->kind == ANSWER_FOUND && out->bytes[0] == SHF_SQLITE_TEXT) out->bytes[0] = SHF_SQLITE_BLOB;
}

static void bind_key(sqlite3_stmt *statement, const struct sample_key *key) {
    (void)sqlite3_reset(statement);
    assert_int_equal(
        sqlite3_bind_blob(statement, 1, key->size ? (const void *)key->bytes : "", (int)key->size, SQLITE_STATIC),
        SQLITE_OK);
}

void peer_get(struct peer *peer, const struct sample_key *key, struct answer *out, bool *same_key) {
    sqlite3_stmt *get = peer->get;
    if (get) bind_key(get, key);
    next(get, 1, out);
    take_as_bytes(out);
    *same_key = out->kind != ANSWER_FOUND ||
                (sqlite3_column_type(get, 1) == SQLITE_BLOB && (size_t)sqlite3_column_bytes(get, 1) == key->size &&
                 (key->size == 0 || memcmp(sqlite3_column_blob(get, 1), key->bytes, key->size) == 0));
    (void)sqlite3_reset(get);
}

enum answer_kind peer_has(struct peer *peer, const struct sample_key *key) {
    if (!peer->has) return ANSWER_REFUSED;
    bind_key(peer->has, key);
    steps_left = MOST_STEPS;
    enum answer_kind kind = ANSWER_REFUSED;
    if (sqlite3_step(peer->has) == SQLITE_ROW) kind = sqlite3_column_int(peer->has, 0) ? ANSWER_FOUND : ANSWER_ABSENT;
    (void)sqlite3_reset(peer->has);
    return kind;
}

void peer_row(struct peer *peer, size_t table, int64_t rowid, struct answer *out) {
    sqlite3_stmt *find = peer->tables[table].find;
    if (find) assert_int_equal(sqlite3_bind_int64(find, 1, rowid), SQLITE_OK);
    peer_next(find, out);
    (void)sqlite3_reset(find);
}

/* note(v), in SQL: keeps the value of the row that the conflict is with, and says that it is not to be updated. */
static void note(sqlite3_context *context, int count, sqlite3_value **values) {
    struct answer *out = sqlite3_user_data(context);
    (void)count;
    if (sqlite3_value_type(values[0]) == SQLITE_BLOB || sqlite3_value_type(values[0]) == SQLITE_TEXT) {
        const void *bytes = sqlite3_value_blob(values[0]);
        begin(out, ANSWER_FOUND);
        add(out, SHF_SQLITE_BLOB, bytes, (size_t)sqlite3_value_bytes(values[0]));
    }
    sqlite3_result_int(context, 0);
}

void peer_conflict(const uint8_t *bytes, size_t size, const struct sample_key *key, struct answer *out) {
    sqlite3 *db;
    sqlite3_stmt *insert = NULL;
    unsigned char *copy = sqlite3_malloc64(size);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    copy[18] = 1; /* which versions may write it, a reader does not ask */
    begin(out, ANSWER_REFUSED);
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_deserialize(db, "main", copy, (sqlite3_int64)size, (sqlite3_int64)size, SQLITE_DESERIALIZE_FREEONCLOSE),
        SQLITE_OK);
    assert_int_equal(sqlite3_create_function(db, "note", 1, SQLITE_UTF8, out, note, NULL, NULL), SQLITE_OK);
    if (sqlite3_prepare_v2(db, "INSERT INTO kv VALUES (?, x'') ON CONFLICT (k) DO UPDATE SET v = x'' WHERE note(kv.v)",
                           -1, &insert, NULL) == SQLITE_OK) {
        bind_key(insert, key);
        (void)sqlite3_step(insert);
    }
    sqlite3_finalize(insert);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* ---- ours ---- */

static void open_table(struct our_table *out, const struct sample_table *table, const struct shf_sqlite_schema *schema) {
    const struct shf_sqlite_schema_row *row = shf_sqlite_schema_table(schema, table->name);
    if (!row || row->root == 0) return;
    out->root = row->root;
    for (size_t i = 0; i < SAMPLE_MAX_COLUMNS && table->columns[i]; i++) {
        bool *is_alias = &out->columns[i].is_alias;
        out->columns[i].position = shf_sqlite_ddl_column(row->sql, table->columns[i], is_alias);
        if (out->columns[i].position < 0) return;
        out->column_count++;
    }
    out->opened = true;
}

bool ours_open(struct ours *ours, const struct sample *sample, const uint8_t *bytes, size_t size) {
    struct shf_sqlite_schema schema;
    *ours = (struct ours){0};
    if (shf_sqlite_open(&ours->db, bytes, size, NULL)) return false;
    if (shf_sqlite_schema_load(&ours->db, &schema, NULL)) return false;
    if (sample->key_count) ours->has_kv = shf_kv_open(&ours->kv, &ours->db, &schema, NULL) == SHF_OK;
    if (ours->has_kv) assert_int_equal(shf_kv_separators_build(&ours->kv, UINT32_MAX, &ours->separators), SHF_OK);
    for (size_t i = 0; i < sample->table_count; i++) open_table(&ours->tables[i], &sample->tables[i], &schema);
    shf_sqlite_schema_free(&schema);
    return true;
}

void ours_close(struct ours *ours) { shf_kv_separators_free(ours->separators); }

static shf_status get(const struct ours *ours, enum our_way way, const struct sample_key *key, bool *found,
                      struct shf_kv_value *value, struct shf_error **error) {
    const struct shf_kv *kv = &ours->kv;
    if (way != WAY_MANY)
        return shf_kv_get(kv, way == WAY_WALK ? NULL : ours->separators, key->bytes, key->size, found, value, error);
    /* More than go side by side; every other one with separators. */
    struct shf_kv_probe probes[17];
    size_t failed = 99;
    for (size_t i = 0; i < 17; i++)
        probes[i] = (struct shf_kv_probe){kv, i % 2 ? ours->separators : NULL, key->bytes, key->size, false, {0}};
    shf_status status = shf_kv_get_many(probes, 17, &failed, error);
    assert_true((status != SHF_OK) == (failed < 17));
    for (size_t i = 1; i < 17 && !status; i++) assert_int_equal(probes[i].found, probes[0].found);
    *found = probes[16].found;
    *value = probes[16].value;
    return status;
}

/* A refusal is one of the clean ones, with a message. */
static void refuse(struct answer *out, shf_status status, struct shf_error *error) {
    assert_true(status == SHF_E_CORRUPT || status == SHF_E_LIMIT);
    assert_int_equal(shf_error_code(error), status);
    assert_true(strlen(shf_error_message(error)) > 10);
    shf_error_free(error);
    begin(out, ANSWER_REFUSED);
}

void ours_get(const struct ours *ours, enum our_way way, const struct sample_key *key, struct answer *out) {
    struct shf_error *error = NULL;
    struct shf_kv_value value;
    bool found = false;
    begin(out, ANSWER_REFUSED);
    if (!ours->has_kv) return;
    shf_status status = get(ours, way, key, &found, &value, &error);
    if (!status && found) {
        size_t size = (size_t)value.size;
        out->kind = ANSWER_FOUND;
        uint8_t *to = extend(out, 1 + sizeof size + size);
        to[0] = SHF_SQLITE_BLOB;
        memcpy(to + 1, &size, sizeof size);
        status = shf_kv_value_copy(&ours->kv, &value, to + 1 + sizeof size, &error);
        if (!status && value.in_place && size) assert_memory_equal(value.in_place, to + 1 + sizeof size, size);
    } else if (!status) {
        begin(out, ANSWER_ABSENT);
    }
    if (status) refuse(out, status, error);
}

static shf_status add_our_column(const struct ours *ours, const struct shf_sqlite_record *record, uint32_t position,
                                 struct answer *out, struct shf_error **error) {
    static const struct shf_sqlite_column missing;
    const struct shf_sqlite_column *column = position < record->column_count ? &record->columns[position] : &missing;
    size_t size = (size_t)column->size;
    switch (column->type) {
    case SHF_SQLITE_NULL: add(out, SHF_SQLITE_NULL, NULL, 0); return SHF_OK;
    case SHF_SQLITE_INTEGER: add(out, SHF_SQLITE_INTEGER, &column->integer, sizeof column->integer); return SHF_OK;
    case SHF_SQLITE_REAL: add(out, SHF_SQLITE_REAL, &column->real, sizeof column->real); return SHF_OK;
    case SHF_SQLITE_TEXT:
    case SHF_SQLITE_BLOB: break;
    }
    uint8_t *to = extend(out, 1 + sizeof size + size);
    to[0] = (uint8_t)column->type;
    memcpy(to + 1, &size, sizeof size);
    return shf_sqlite_column_copy(&ours->db, record, column, to + 1 + sizeof size, error);
}

static void add_row(const struct ours *ours, const struct our_table *table, int64_t rowid,
                    const struct shf_sqlite_payload *payload, struct answer *out) {
    struct shf_sqlite_record record;
    struct shf_error *error = NULL;
    shf_status status = shf_sqlite_record_decode(&ours->db, payload, &record, &error);
    begin(out, ANSWER_FOUND);
    add(out, SHF_SQLITE_INTEGER, &rowid, sizeof rowid);
    for (size_t i = 0; i < table->column_count && !status; i++) {
        if (table->columns[i].is_alias) {
            add(out, SHF_SQLITE_INTEGER, &rowid, sizeof rowid);
        } else {
            status = add_our_column(ours, &record, (uint32_t)table->columns[i].position, out, &error);
        }
    }
    if (status) refuse(out, status, error);
}

void ours_row(const struct ours *ours, size_t table, int64_t rowid, struct answer *out) {
    const struct our_table *t = &ours->tables[table];
    struct shf_sqlite_payload payload;
    struct shf_error *error = NULL;
    bool found = false;
    begin(out, ANSWER_REFUSED);
    if (!t->opened) return;
    shf_status status = shf_sqlite_row_find(&ours->db, t->root, rowid, &found, &payload, &error);
    if (status) {
        refuse(out, status, error);
    } else if (found) {
        add_row(ours, t, rowid, &payload, out);
    } else {
        begin(out, ANSWER_ABSENT);
    }
}

void ours_next(const struct ours *ours, size_t table, struct shf_sqlite_scan *scan, struct answer *out) {
    const struct our_table *t = &ours->tables[table];
    struct shf_sqlite_payload payload;
    struct shf_error *error = NULL;
    int64_t rowid;
    bool done = false;
    begin(out, ANSWER_REFUSED);
    if (!t->opened) return;
    scan->root = t->root;
    shf_status status = shf_sqlite_scan_next(&ours->db, scan, &done, &rowid, &payload, &error);
    if (status) {
        refuse(out, status, error);
    } else if (done) {
        begin(out, ANSWER_ABSENT);
    } else {
        add_row(ours, t, rowid, &payload, out);
    }
}

void ours_kv_next(const struct ours *ours, struct shf_kv_scan *scan, struct answer *out) {
    struct shf_sqlite_payload payload;
    struct shf_sqlite_record record;
    struct shf_error *error = NULL;
    bool done = false;
    begin(out, ANSWER_REFUSED);
    if (!ours->has_kv) return;
    shf_status status = shf_kv_scan_next(&ours->kv, scan, &done, &payload, &error);
    if (!status && done) {
        begin(out, ANSWER_ABSENT);
        return;
    }
    if (!status) status = shf_sqlite_record_decode(&ours->db, &payload, &record, &error);
    out->kind = ANSWER_FOUND;
    for (uint32_t i = 0; i < 2 && !status; i++) status = add_our_column(ours, &record, i, out, &error);
    if (status) refuse(out, status, error);
}
