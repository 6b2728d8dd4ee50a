/*
 * Databases written by SlateDB itself: every key that was written, keys that are not there, and a scan. Few and small
 * ones lie in tests/data; many more in the shared fixtures, those of the Python project among them.
 */
#include "database.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct line {
    uint8_t *key, *value; /* value NULL: the key is not there */
    size_t key_size, value_size;
};
struct lines {
    struct line *all;
    size_t count;
    size_t scanned; /* lines of keys that are there, in order; where the scan is */
};

static void lines_free(struct lines *lines) {
    for (size_t i = 0; i < lines->count; i++) {
        free(lines->all[i].key);
        free(lines->all[i].value);
    }
    free(lines->all);
}

static int compare_lines(const void *a, const void *b) {
    const struct line *left = a, *right = b;
    return shf_slatedb_compare((struct shf_slatedb_bytes){left->key, left->key_size},
                               (struct shf_slatedb_bytes){right->key, right->key_size});
}

static void scanned(void *context, const struct shf_slatedb_row *row) {
    struct lines *lines = context;
    while (lines->scanned < lines->count && !lines->all[lines->scanned].value) lines->scanned++;
    assert_true(lines->scanned < lines->count);
    const struct line *line = &lines->all[lines->scanned++];
    assert_int_equal(row->key.size, line->key_size);
    assert_memory_equal(row->key.data, line->key, line->key_size);
    assert_int_equal(row->value.size, line->value_size);
    assert_memory_equal(row->value.data ? row->value.data : line->value, line->value, line->value_size);
}

static void check_gets(struct database *db, const struct lines *lines) {
    for (size_t i = 0; i < lines->count; i++) {
        const struct line *line = &lines->all[i];
        struct shf_error *error = NULL;
        bool found = false;
        uint8_t *value;
        size_t value_size;
        expect_ok(database_get(db, line->key, line->key_size, &found, &value, &value_size, &error), error);
        assert_int_equal(found, line->value != NULL);
        assert_int_equal(value_size, line->value_size);
        if (found) assert_memory_equal(value, line->value, value_size);
        free(value);
    }
}

/* Reads the folder and compares. Takes the lines over. */
static void check_database(const char *folder, struct lines *lines, bool has_merges) {
    struct database db;
    struct shf_error *error = NULL;
    if (!database_load(&db, folder)) fail_msg("%s is not there", folder);
    expect_ok(database_open(&db, &error), error);
    if (lines->count) qsort(lines->all, lines->count, sizeof *lines->all, compare_lines);
    check_gets(&db, lines);
    shf_status status = database_scan(&db, scanned, lines, &error);
    if (has_merges) {
        expect_error(status, &error, SHF_E_UNSUPPORTED, "merge operand");
    } else {
        expect_ok(status, error);
        while (lines->scanned < lines->count && !lines->all[lines->scanned].value) lines->scanned++;
        assert_int_equal(lines->scanned, lines->count);
    }
    database_free(&db);
    lines_free(lines);
}

/* ---- fixtures with lines {"k": base64, "v": base64 or null} ---- */

static struct lines load_lines(const char *path) {
    json_t *array = load_jsonl(path), *item;
    struct lines lines = {calloc(json_array_size(array) + 1, sizeof(struct line)), 0, 0};
    size_t index;
    json_array_foreach(array, index, item) {
        struct line *line = &lines.all[lines.count++];
        json_t *value = json_object_get(item, "v");
        line->key = from_base64(json_string_value(json_object_get(item, "k")), &line->key_size);
        if (json_is_string(value)) line->value = from_base64(json_string_value(value), &line->value_size);
    }
    json_decref(array);
    return lines;
}

/* Every case of a folder; how many there were. */
static int check_cases(const char *root) {
    char path[4400];
    int cases = 0;
    DIR *directory = opendir(root);
    struct dirent *entry;
    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL) {
        (void)snprintf(path, sizeof path, "%s/%s/expected.jsonl", root, entry->d_name);
        if (entry->d_name[0] == '.' || !file_exists(path)) continue;
        struct lines lines = load_lines(path);
        (void)snprintf(path, sizeof path, "%s/%s/db", root, entry->d_name);
        print_message("%s: %zu keys\n", entry->d_name, lines.count);
        check_database(path, &lines, strcmp(entry->d_name, "merge") == 0);
        cases++;
    }
    (void)closedir(directory);
    return cases;
}

static void test_golden(void **state) {
    (void)state;
    assert_int_equal(check_cases(SHF_TEST_DATA "/formats/slatedb"), 5);
}

/* What needs a merge operator says so; a neighbour is read. */
static void test_merge(void **state) {
    (void)state;
    static const char *const keys[] = {"base", "only"};
    struct database db;
    struct shf_error *error = NULL;
    uint8_t *value;
    size_t size;
    bool found;
    assert_true(database_load(&db, SHF_TEST_DATA "/formats/slatedb/merge/db"));
    expect_ok(database_open(&db, &error), error);
    for (int i = 0; i < 2; i++) {
        expect_error(database_get(&db, keys[i], 4, &found, &value, &size, &error), &error, SHF_E_UNSUPPORTED,
                     "merge operand");
    }
    expect_ok(database_get(&db, "plain", 5, &found, &value, &size, &error), error);
    assert_true(found);
    free(value);
    database_free(&db);
}

static void test_shared(void **state) {
    (void)state;
    const char *root = shared_path("fixtures/slatedb");
    if (!root) skip();
    char *copy = strdup(root);
    assert_true(check_cases(copy) >= 28);
    free(copy);
}

/* ---- snapshots of the Python project ---- */

static bool key_of(json_t *key, const char *encoding, struct line *line) {
    json_t *number = json_object_get(key, "int"), *text = json_object_get(key, "str"),
           *bytes = json_object_get(key, "bytes");
    if (bytes) {
        line->key = from_base64(json_string_value(bytes), &line->key_size);
    } else if (text) {
        line->key_size = json_string_length(text);
        line->key = malloc(line->key_size + 1);
        memcpy(line->key, json_string_value(text), line->key_size);
    } else {
        uint64_t value = (uint64_t)json_integer_value(number);
        line->key_size = strcmp(encoding, "u64be") == 0 ? 8 : 4;
        line->key = malloc(8);
        for (size_t i = 0; i < line->key_size; i++) line->key[i] = (uint8_t)(value >> (8 * (line->key_size - 1 - i)));
    }
    return line->key_size > 0;
}

/* The lines of one shard. */
static struct lines lines_of_shard(json_t *array, const char *encoding, json_int_t shard) {
    struct lines lines = {calloc(json_array_size(array) + 1, sizeof(struct line)), 0, 0};
    json_t *item;
    size_t index;
    json_array_foreach(array, index, item) {
        struct line *line = &lines.all[lines.count];
        json_t *value = json_object_get(item, "value");
        if (json_object_get(item, "get_error") || !json_is_integer(json_object_get(item, "shard"))) continue;
        if (json_integer_value(json_object_get(item, "shard")) != shard) continue;
        if (!key_of(json_object_get(item, "key"), encoding, line)) {
            free(line->key);
            continue;
        }
        if (json_is_string(value)) line->value = from_base64(json_string_value(value), &line->value_size);
        lines.count++;
    }
    return lines;
}

/* The last name in a folder that begins so; false when there is none. */
static bool last_entry(const char *folder, const char *beginning, char *out, size_t room) {
    DIR *directory = opendir(folder);
    struct dirent *entry;
    out[0] = '\0';
    if (!directory) return false;
    while ((entry = readdir(directory)) != NULL) {
        if (strncmp(entry->d_name, beginning, strlen(beginning)) != 0 || strcmp(entry->d_name, out) < 0) continue;
        (void)snprintf(out, room, "%s", entry->d_name);
    }
    (void)closedir(directory);
    return out[0] != '\0';
}

static int check_peer(const char *root, const char *name) {
    char path[4400], run[256], attempt[256];
    (void)snprintf(path, sizeof path, "%s/%s/case.json", root, name);
    json_t *about = json_load_file(path, 0, NULL);
    assert_non_null(about);
    const char *encoding = json_string_value(json_object_get(about, "key_encoding"));
    json_int_t shards = json_integer_value(json_object_get(about, "num_dbs")), checked = 0;
    (void)snprintf(path, sizeof path, "%s/%s/expected.jsonl", root, name);
    json_t *array = load_jsonl(path);
    (void)snprintf(path, sizeof path, "%s/%s/snapshot/shards", root, name);
    assert_true(last_entry(path, "run_id=", run, sizeof run));
    for (json_int_t shard = 0; shard < shards; shard++) {
        struct lines lines = lines_of_shard(array, encoding, shard);
        (void)snprintf(path, sizeof path, "%s/%s/snapshot/shards/%s/db=%05d", root, name, run, (int)shard);
        if (!last_entry(path, "attempt=", attempt, sizeof attempt)) { /* an empty shard has no database */
            lines_free(&lines);
            continue;
        }
        size_t used = strlen(path);
        (void)snprintf(path + used, sizeof path - used, "/%s", attempt);
        print_message("%s, shard %d: %zu keys\n", name, (int)shard, lines.count);
        check_database(path, &lines, false);
        checked++;
    }
    assert_true(checked > 0);
    json_decref(array);
    json_decref(about);
    return 1;
}

static void test_peer(void **state) {
    (void)state;
    const char *shared = shared_path("fixtures/peer");
    if (!shared) skip();
    char *root = strdup(shared);
    DIR *directory = opendir(root);
    struct dirent *entry;
    int cases = 0;
    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL) {
        if (strstr(entry->d_name, "slatedb")) cases += check_peer(root, entry->d_name);
    }
    (void)closedir(directory);
    free(root);
    assert_true(cases >= 14);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden), cmocka_unit_test(test_merge),
                                       cmocka_unit_test(test_shared), cmocka_unit_test(test_peer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
