#include "fault/world.h"

#include "integration/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SAMPLE "tests/data/packages-1k"
#define MOST_ROWS 2048
#define FIRST_RUN "d597585d196845f8875aba3ba5395387"
#define SECOND_RUN "5ec0d05ec0d05ec0d05ec0d05ec0d05e"
#define FIRST_MANIFEST "2026-11-22T07:29:27.503984Z_run_id=" FIRST_RUN
#define SECOND_MANIFEST "2026-11-23T07:29:27.503984Z_run_id=" SECOND_RUN
#define BAD_MANIFEST "2026-11-24T07:29:27.503984Z_run_id=bad0bad0bad0bad0bad0bad0bad0bad0"

struct world world;
const char *const world_objects[WORLD_OBJECTS] = {
    "manifests/" FIRST_MANIFEST "/manifest",
    "manifests/" SECOND_MANIFEST "/manifest",
    "manifests/" BAD_MANIFEST "/manifest",
    "shards/run_id=" FIRST_RUN "/db=00000/attempt=00/shard.db",
    "shards/run_id=" FIRST_RUN "/db=00001/attempt=00/shard.db",
    "shards/run_id=" SECOND_RUN "/db=00000/attempt=00/shard.db",
};
static enum world_pointer published;

static sqlite3 *open_database(const char *path) {
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    return db;
}

static void change(const char *path, const char *statements) {
    sqlite3 *db = open_database(path);
    char *problem = NULL;
    assert_int_equal(sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL), SQLITE_OK); /* no disk is waited for */
    if (sqlite3_exec(db, statements, NULL, NULL, &problem)) fail_msg("%s: %s", path, problem);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static struct world_row *row_of(const void *key, size_t size) {
    for (size_t i = 0; i < world.row_count; i++) {
        if (strlen(world.rows[i].key) == size && memcmp(world.rows[i].key, key, size) == 0) return &world.rows[i];
    }
    assert_true(world.row_count < MOST_ROWS);
    struct world_row *row = &world.rows[world.row_count++];
    row->key = calloc(1, size + 1);
    memcpy(row->key, key, size);
    return row;
}

/* Rows with the longest values first. */
static void read_rows(const char *path, int run) {
    sqlite3 *db = open_database(path);
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT k, v FROM kv ORDER BY length(v) DESC, k", -1, &statement, NULL),
                     SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        struct world_row *row = row_of(sqlite3_column_blob(statement, 0), (size_t)sqlite3_column_bytes(statement, 0));
        row->sizes[run] = (size_t)sqlite3_column_bytes(statement, 1);
        row->values[run] = malloc(row->sizes[run] + 1);
        memcpy(row->values[run], sqlite3_column_blob(statement, 1), row->sizes[run]);
    }
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static char *shard_path(const char *run, int shard) {
    return support_path("%s/shards/run_id=%s/db=%05d/attempt=00/shard.db", world.snapshot, run, shard);
}

static int longer_first(const void *a, const void *b) {
    const struct world_row *left = a, *right = b;
    return left->sizes[0] == right->sizes[0]  ? strcmp(left->key, right->key)
           : left->sizes[0] < right->sizes[0] ? 1
                                              : -1;
}

static void make_shards(void) {
    char *paths[2] = {shard_path(FIRST_RUN, 0), shard_path(FIRST_RUN, 1)}, *other = shard_path(SECOND_RUN, 0);
    char *from = support_path("%s/shards/run_id=%s", world.snapshot, FIRST_RUN);
    char *to = support_path("%s/shards/run_id=%s", world.snapshot, SECOND_RUN);
    for (int shard = 0; shard < 2; shard++) {
        change(paths[shard], "UPDATE kv SET v = CAST(hex(zeroblob(15000)) AS BLOB) WHERE k = (SELECT min(k) FROM kv)");
    }
    support_copy_tree(from, to);
    change(other, "UPDATE kv SET v = CAST(CAST(v AS TEXT) || ' second' AS BLOB);"
                  "UPDATE vec_payloads SET payload = '{\"run\":2}'");
    world.rows = calloc(MOST_ROWS, sizeof *world.rows);
    for (int shard = 0; shard < 2; shard++) {
        read_rows(paths[shard], 0);
        read_rows(shard == 0 ? other : paths[shard], 1);
        free(paths[shard]);
    }
    qsort(world.rows, world.row_count, sizeof *world.rows, longer_first);
    assert_int_equal(world.row_count, 1000);
    assert_true(world.rows[WORLD_LONG_KEYS - 1].sizes[0] == 30000 && world.rows[WORLD_LONG_KEYS].sizes[0] < 30000);
    free(other);
    free(from);
    free(to);
}

static void make_manifests(void) {
    static const char garbage[] = "SQLite format 3";
    char *from = support_path("%s/manifests/" FIRST_MANIFEST, world.snapshot);
    char *to = support_path("%s/manifests/" SECOND_MANIFEST, world.snapshot);
    char *bad = support_path("%s/manifests/" BAD_MANIFEST, world.snapshot);
    char *manifest = support_path("%s/manifest", to), *malformed = support_path("%s/manifest", bad);
    support_copy_tree(from, to);
    support_copy_tree(from, bad);
    support_write_file(malformed, garbage, sizeof garbage);
    change(manifest, "UPDATE build_meta SET run_id = '" SECOND_RUN "';"
                     "UPDATE shards SET db_url = replace(db_url, '" FIRST_RUN "', '" SECOND_RUN "'),"
                     " checkpoint_id = 'second' WHERE db_id = 0");
    free(from);
    free(to);
    free(bad);
    free(manifest);
    free(malformed);
}

static void read_queries(void) {
    json_t *lines = support_lines("tests/data", "packages-1k-queries.jsonl");
    for (size_t i = 0; i < WORLD_QUERIES; i++) {
        size_t size;
        const char *text = json_string_value(json_object_get(json_array_get(lines, i), "vector_base64"));
        world.queries[i] = support_base64(text, &size);
        assert_int_equal(size, WORLD_DIMENSION * sizeof(float));
    }
    json_decref(lines);
}

void world_begin(void) {
    world.root = support_temporary_directory();
    world.snapshot = support_path("%s/snapshot", world.root);
    support_copy_tree(SAMPLE, world.snapshot);
    make_shards();
    make_manifests();
    read_queries();
    published = WORLD_ABSENT;
    world_publish(WORLD_FIRST);
}

void world_end(void) {
    support_remove_tree(world.root);
    for (size_t i = 0; i < world.row_count; i++) {
        free(world.rows[i].key);
        for (int run = 0; run < WORLD_RUNS; run++) free(world.rows[i].values[run]);
    }
    for (size_t i = 0; i < WORLD_QUERIES; i++) free(world.queries[i]);
    free(world.rows);
    free(world.snapshot);
    free(world.root);
    memset(&world, 0, sizeof world);
}

#define POINTER(directory)                                                                                             \
    "{\"format_version\":1,\"manifest_content_type\":\"application/x-sqlite3\",\"manifest_ref\":"                      \
    "\"s3://samples/packages-1k/manifests/" directory "/manifest\",\"run_id\":\"" FIRST_RUN "\","                      \
    "\"updated_at\":\"2026-11-22T07:29:27.506796Z\"}"

const char *world_pointer_text(enum world_pointer pointer) {
    static const char *const texts[] = {POINTER(FIRST_MANIFEST), POINTER(SECOND_MANIFEST), POINTER(BAD_MANIFEST),
                                        POINTER("2026-11-25T07:29:27.503984Z_run_id=0"), NULL};
    return texts[pointer];
}

void world_publish(enum world_pointer pointer) {
    if (pointer == published) return;
    char *path = support_path("%s/_CURRENT", world.snapshot);
    const char *text = world_pointer_text(pointer);
    if (text) {
        support_write_file(path, text, strlen(text));
    } else {
        assert_int_equal(unlink(path), 0);
    }
    published = pointer;
    free(path);
}

shf_key world_key(size_t row) {
    const char *key = world.rows[row % world.row_count].key;
    return shf_key_from_text(key, strlen(key));
}

bool world_value_is(size_t row, int run, const shf_value *value) {
    const struct world_row *wanted = &world.rows[row % world.row_count];
    return value->status == SHF_OK && value->data.size == wanted->sizes[run] &&
           memcmp(value->data.data, wanted->values[run], wanted->sizes[run]) == 0;
}
