/*
 * max_open_shards: which shards of vector-only snapshots stay open, and that nothing else changes by it. Over the snapshots
 * that the Python project wrote, of SQLite files and of Lance datasets.
 */
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_ROWS 1024u
#define MOST_SHARDS 16u
#define MOST_DIMENSION 64u

static const char *const cases[] = {"vector-lsh-sqlitevec", "vector-cluster-sqlitevec", "vector-cluster-lancedb",
                                    "vector-explicit"};

static char *root, *url, *cache;
static uint32_t ids[MOST_SHARDS], num_dbs, dimension;
static uint64_t row_count;

static int set_up(void **state) {
    root = support_temporary_directory();
    url = support_path("%s/snapshot", root);
    cache = support_path("%s/cache", root);
    for (uint32_t i = 0; i < MOST_SHARDS; i++) ids[i] = i;
    return support_set_up(state);
}

static int tear_down(void **state) {
    int held = support_tear_down(state);
    support_remove_tree(root);
    free(root);
    free(url);
    free(cache);
    return held;
}

/* Copies the snapshot to url; skips the test where there are none. */
static void use_case(const char *name) {
    char *from = support_peer_case(name);
    if (!from) skip();
    char *snapshot = support_path("%s/snapshot", from);
    support_remove_tree(url);
    support_copy_tree(snapshot, url);
    free(snapshot);
    free(from);
}

static shf_status open_bounded(uint32_t flags, uint32_t limit, shf_open_info *info, shf_reader **reader) {
    shf_reader_options options;
    shf_op *op = NULL;
    SHF_INIT(&options);
    SHF_INIT(info);
    options.url = url;
    options.local_root = cache;
    options.flags = flags;
    options.max_open_shards = limit;
    shf_status status = shf_open_sync(support_runtime, &options, 0, &op);
    assert_int_equal(shf_op_open_info(op, info), SHF_OK);
    if (!status) assert_int_equal(shf_op_take_reader(op, reader), SHF_OK);
    shf_op_release(op);
    return status;
}

static void learn(shf_reader *reader) {
    shf_snapshot *snapshot = NULL;
    shf_snapshot_info info;
    shf_vector_info vectors;
    SHF_INIT(&info);
    SHF_INIT(&vectors);
    assert_int_equal(shf_reader_snapshot(reader, &snapshot), SHF_OK);
    assert_int_equal(shf_snapshot_describe(snapshot, &info), SHF_OK);
    assert_int_equal(shf_snapshot_vectors(snapshot, &vectors), SHF_OK);
    num_dbs = info.num_dbs;
    dimension = vectors.dimension;
    row_count = info.row_count;
    assert_true(num_dbs <= MOST_SHARDS && dimension <= MOST_DIMENSION && row_count <= MOST_ROWS);
    shf_snapshot_release(snapshot);
}

static shf_reader *open_ok(uint32_t flags, uint32_t limit) {
    shf_open_info info;
    shf_reader *reader = NULL;
    assert_int_equal(open_bounded(flags, limit, &info, &reader), SHF_OK);
    learn(reader);
    return reader;
}

static uint32_t open_shards(shf_reader *reader) {
    shf_health_info info;
    SHF_INIT(&info);
    assert_int_equal(shf_health(reader, 0, &info), SHF_OK);
    return info.open_shards;
}

/* Of the budget, and of mapped files. */
static shf_runtime_stats used(void) {
    shf_runtime_stats stats;
    SHF_INIT(&stats);
    assert_int_equal(shf_runtime_stats_get(support_runtime, &stats), SHF_OK);
    return stats;
}

static unsigned descriptors(void) {
    unsigned count = 0;
    DIR *names = opendir("/proc/self/fd");
    assert_non_null(names);
    while (readdir(names)) count++;
    assert_int_equal(closedir(names), 0);
    return count;
}

/* ---- searches ---- */

static const float some_vector[MOST_DIMENSION] = {1, 0.5f, -0.25f, 2};

static shf_query query_in(const uint32_t *shards, uint32_t count) {
    shf_query query;
    SHF_INIT(&query);
    query.vector = some_vector;
    query.dimension = dimension;
    query.top_k = 10;
    query.shard_ids = shards;
    query.shard_count = count;
    return query;
}

static shf_status try_shard(shf_reader *reader, uint32_t shard) {
    shf_query query = query_in(&shard, 1);
    shf_op *op = NULL;
    shf_status status = shf_search_sync(reader, &query, 0, &op);
    shf_op_release(op);
    return status;
}

static void search_shard(shf_reader *reader, uint32_t shard) { assert_int_equal(try_shard(reader, shard), SHF_OK); }

static shf_op *batch(shf_reader *reader, const shf_query *queries, size_t count) {
    shf_op *op = NULL;
    if (shf_batch_search_sync(reader, queries, count, 0, &op)) fail_msg("%s", shf_error_message(shf_op_error(op)));
    return op;
}

static void assert_same_slice(shf_slice a, shf_slice b) {
    assert_int_equal(a.data != NULL, b.data != NULL);
    assert_int_equal(a.size, b.size);
    if (a.size) assert_memory_equal(a.data, b.data, a.size);
}

static void assert_same(const shf_op *a, size_t query_a, const shf_op *b, size_t query_b) {
    assert_int_equal(shf_op_hit_count(a, query_a), shf_op_hit_count(b, query_b));
    for (size_t i = 0; i < shf_op_hit_count(a, query_a); i++) {
        shf_hit left, right;
        SHF_INIT(&left);
        SHF_INIT(&right);
        assert_int_equal(shf_op_hit(a, query_a, i, &left), SHF_OK);
        assert_int_equal(shf_op_hit(b, query_b, i, &right), SHF_OK);
        assert_memory_equal(&left.score, &right.score, sizeof left.score);
        assert_int_equal(left.shard, right.shard);
        assert_int_equal(left.id.kind, right.id.kind);
        assert_true(left.id.int_value == right.id.int_value);
        assert_same_slice(left.id.text, right.id.text);
        assert_same_slice(left.payload, right.payload);
    }
    shf_search_info left, right;
    SHF_INIT(&left);
    SHF_INIT(&right);
    assert_int_equal(shf_op_search_info(a, query_a, &left), SHF_OK);
    assert_int_equal(shf_op_search_info(b, query_b, &right), SHF_OK);
    assert_true(left.rows_scanned == right.rows_scanned);
    assert_int_equal(left.num_shards_probed, right.num_shards_probed);
    assert_int_equal(left.num_shards_queried, right.num_shards_queried);
}

/* All rows, by a search in all shards. */
static shf_op *all_rows(shf_reader *reader) {
    shf_query query = query_in(ids, num_dbs);
    query.top_k = MOST_ROWS;
    shf_op *op = batch(reader, &query, 1);
    assert_int_equal(shf_op_hit_count(op, 0), row_count);
    return op;
}

static shf_query like_of(const shf_vector_id *id, size_t number, bool is_explicit) {
    shf_query query = query_in(is_explicit ? &ids[number % num_dbs] : NULL, is_explicit);
    query.vector = NULL;
    query.like = id;
    query.top_k = 3;
    if (!is_explicit) query.num_probes = 1 + (uint32_t)(number % num_dbs);
    return query;
}

/* A query for each stored vector, one after the other and then all in one batch, gives what it gives without a bound. */
static void check_like(shf_reader *bounded, shf_reader *free_one, uint32_t limit, bool is_explicit) {
    shf_op *rows = all_rows(free_one);
    shf_vector_id *stored = calloc(row_count, sizeof *stored);
    shf_query *queries = calloc(row_count, sizeof *queries);
    for (size_t i = 0; i < row_count; i++) {
        shf_hit hit;
        SHF_INIT(&hit);
        assert_int_equal(shf_op_hit(rows, 0, i, &hit), SHF_OK);
        stored[i] = hit.id;
        queries[i] = like_of(&stored[i], i, is_explicit);
    }
    shf_op *wanted = batch(free_one, queries, row_count);
    for (size_t i = 0; i<row_count; i += row_count> 100 ? 7 : 1) {
        shf_op *op = batch(bounded, &queries[i], 1);
        assert_true(open_shards(bounded) <= limit);
        assert_same(op, 0, wanted, i);
        shf_op_release(op);
    }
    shf_op *together = batch(bounded, queries, row_count);
    assert_true(open_shards(bounded) <= limit);
    for (size_t i = 0; i < row_count; i++) assert_same(together, i, wanted, i);
    shf_op_release(together);
    shf_op_release(wanted);
    shf_op_release(rows);
    free(stored);
    free(queries);
}

/* Every choice of shards. */
static void check_choices(shf_reader *bounded, shf_reader *free_one, uint32_t limit) {
    for (uint32_t choice = 0; choice < UINT32_C(1) << num_dbs; choice++) {
        uint32_t chosen[MOST_SHARDS], count = 0;
        for (uint32_t i = 0; i < num_dbs; i++) {
            if (choice >> i & 1) chosen[count++] = i;
        }
        shf_query query = query_in(chosen, count);
        shf_op *got = batch(bounded, &query, 1), *wanted = batch(free_one, &query, 1);
        assert_true(open_shards(bounded) <= limit);
        assert_same(got, 0, wanted, 0);
        shf_op_release(got);
        shf_op_release(wanted);
    }
}

static void check_answers(uint32_t flags, bool is_explicit) {
    shf_reader *free_one = open_ok(flags, 0);
    for (uint32_t limit = 1; limit <= num_dbs + 1; limit++) {
        shf_reader *bounded = open_ok(flags, limit);
        check_choices(bounded, free_one, limit);
        check_like(bounded, free_one, limit, is_explicit);
        support_close(bounded);
    }
    assert_int_equal(open_shards(free_one), num_dbs);
    support_close(free_one);
}

static void test_answers(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        use_case(cases[i]);
        check_answers(SHF_OPEN_LAZY, strcmp(cases[i], "vector-explicit") == 0);
        check_answers(SHF_OPEN_PRIVATE_COPY, strcmp(cases[i], "vector-explicit") == 0);
    }
}

/* ---- which ones stay ---- */

/* The directory of a shard is put aside: one that is not open can not be opened then. */
static void put_aside(uint32_t shard, bool back) {
    char *aside = support_path("%s/shard-%u", root, shard);
    char name[16];
    (void)snprintf(name, sizeof name, "db=%05u", shard);
    static char *places[MOST_SHARDS];
    if (!back) places[shard] = support_find_file(url, name, 0);
    assert_int_equal(back ? rename(aside, places[shard]) : rename(places[shard], aside), 0);
    if (back) free(places[shard]);
    free(aside);
}

static void check_stays(shf_reader *reader, uint32_t shard, bool is_open) {
    put_aside(shard, false);
    assert_int_equal(try_shard(reader, shard), is_open ? SHF_OK : SHF_E_NOT_FOUND);
    put_aside(shard, true);
}

static void test_least_recently_used(void **state) {
    (void)state;
    use_case("vector-lsh-sqlitevec");
    shf_reader *reader = open_ok(SHF_OPEN_LAZY, 2);
    assert_int_equal(open_shards(reader), 0);
    search_shard(reader, 0);
    assert_int_equal(open_shards(reader), 1);
    search_shard(reader, 1);
    search_shard(reader, 0);
    assert_int_equal(open_shards(reader), 2);
    search_shard(reader, 2);
    assert_int_equal(open_shards(reader), 2);
    check_stays(reader, 1, false);
    assert_int_equal(open_shards(reader), 1); /* room was made for it */
    check_stays(reader, 2, true);
    search_shard(reader, 1);
    check_stays(reader, 2, true);
    check_stays(reader, 1, true);
    search_shard(reader, 3);
    check_stays(reader, 1, true);
    check_stays(reader, 3, true);
    support_close(reader);
}

/* What the search needs is held before the rest is opened, so nothing is closed only to be opened again. */
static void test_more_than_the_bound(void **state) {
    (void)state;
    use_case("vector-lsh-sqlitevec");
    shf_reader *reader = open_ok(SHF_OPEN_LAZY, 1);
    search_shard(reader, 3);
    put_aside(3, false);
    shf_query query = query_in(ids, num_dbs);
    shf_op *op = batch(reader, &query, 1);
    put_aside(3, true);
    assert_int_equal(open_shards(reader), 1);
    shf_op_release(op);
    support_close(reader);
}

/* A shard after the other: the ones behind that of the vector are not looked at. */
static void test_like_goes_on(void **state) {
    (void)state;
    use_case("vector-lsh-sqlitevec");
    shf_reader *free_one = open_ok(0, 0), *reader = open_ok(SHF_OPEN_LAZY, 1);
    shf_query in_1 = query_in(&ids[1], 1), like = query_in(&ids[1], 1);
    shf_op *rows = batch(free_one, &in_1, 1), *op = NULL;
    shf_hit hit;
    SHF_INIT(&hit);
    assert_int_equal(shf_op_hit(rows, 0, 0, &hit), SHF_OK);
    put_aside(2, false);
    like.vector = NULL;
    like.like = &hit.id;
    op = batch(reader, &like, 1);
    assert_int_equal(shf_op_hit_count(op, 0), 10);
    shf_op_release(op);
    assert_int_equal(open_shards(reader), 1);
    const shf_vector_id unknown = {.kind = SHF_ID_TEXT, .text = {"no such id", 10}};
    like.like = &unknown;
    assert_int_equal(shf_search_sync(reader, &like, 0, &op), SHF_E_NOT_FOUND);
    shf_op_release(op);
    put_aside(2, true);
    assert_int_equal(shf_search_sync(reader, &like, 0, &op), SHF_E_INVALID);
    assert_non_null(strstr(shf_error_message(shf_op_error(op)), "no such id"));
    shf_op_release(op);
    assert_int_equal(open_shards(reader), 1);
    shf_op_release(rows);
    support_close(free_one);
    support_close(reader);
}

/* The file of that name, or the first one in the directory of that name. */
static char *file_below(const char *directory, const char *name) {
    char *path = support_find_file(directory, name, 0);
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, NULL, alphasort);
    if (count < 0) return path;
    assert_true(count > 2); /* after . and .. */
    char *first = support_path("%s/%s", path, entries[2]->d_name);
    for (int i = 0; i < count; i++) free(entries[i]);
    free(entries);
    free(path);
    return first;
}

/* What is damaged while it is closed fails when it is opened again, and nothing else does. */
static void check_damage(const char *file_name) {
    shf_reader *reader = open_ok(0, 1);
    for (uint32_t shard = 0; shard < num_dbs; shard++) {
        char name[16];
        (void)snprintf(name, sizeof name, "db=%05u", shard);
        char *directory = support_find_file(url, name, 0), *path = file_below(directory, file_name);
        char *aside = support_path("%s/aside", root);
        uint32_t other = (shard + 1) % num_dbs;
        search_shard(reader, shard);
        search_shard(reader, other);
        const shf_runtime_stats before = used();
        assert_int_equal(rename(path, aside), 0);
        support_write_file(path, "neither of the formats", 22);
        shf_status status = try_shard(reader, shard);
        assert_true(status == SHF_E_CORRUPT || status == SHF_E_INDEX);
        assert_int_equal(open_shards(reader), 0);
        search_shard(reader, other);
        const shf_runtime_stats after = used();
        assert_true(after.budget_used_bytes == before.budget_used_bytes && after.mapped_bytes == before.mapped_bytes);
        assert_int_equal(rename(aside, path), 0);
        search_shard(reader, shard);
        assert_int_equal(open_shards(reader), 1);
        free(directory);
        free(path);
        free(aside);
    }
    support_close(reader);
}

static void test_damaged_meanwhile(void **state) {
    (void)state;
    use_case("vector-lsh-sqlitevec");
    check_damage("shard.db");
    use_case("vector-cluster-lancedb");
    check_damage("_versions"); /* the first name is that of the newest manifest */
    check_damage("data");
}

/* ---- with the snapshot; refreshes ---- */

static void refresh_to(shf_reader *reader, const char *name, shf_slice manifest, uint32_t opened) {
    shf_op *op = NULL;
    shf_open_info info;
    SHF_INIT(&info);
    assert_int_equal(shf_refresh_to_sync(reader, name, manifest, 0, &op), SHF_OK);
    assert_int_equal(shf_op_open_info(op, &info), SHF_OK);
    assert_int_equal(info.changed, 1);
    assert_int_equal(info.shards_reused, num_dbs);
    assert_int_equal(info.shards_opened, opened);
    shf_op_release(op);
}

static void test_preload(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        use_case(cases[i]);
        shf_open_info info;
        shf_reader *reader = NULL;
        assert_int_equal(open_bounded(0, 2, &info, &reader), SHF_OK);
        learn(reader);
        assert_int_equal(info.shards_opened, num_dbs);
        assert_int_equal(open_shards(reader), 2);
        char *path = support_find_file(url, "manifest", 0);
        size_t size;
        char *bytes = support_read_file(path, &size);
        refresh_to(reader, "the same, kept elsewhere", (shf_slice){bytes, size}, 0);
        assert_int_equal(open_shards(reader), 2);
        support_close(reader);
        reader = open_ok(SHF_OPEN_LAZY, 2); /* what was never opened is opened by nobody but searches */
        search_shard(reader, 0);
        refresh_to(reader, "the same, kept elsewhere", (shf_slice){bytes, size}, 0);
        assert_int_equal(open_shards(reader), 1);
        support_close(reader);
        free(bytes);
        free(path);
        put_aside(num_dbs - 1, false);
        assert_int_not_equal(open_bounded(0, 1, &info, &reader), SHF_OK);
        put_aside(num_dbs - 1, true);
    }
}

/* A shard of two snapshots is one shard; a snapshot that is kept does not keep shards open. */
static void test_kept_snapshot(void **state) {
    (void)state;
    use_case("vector-cluster-lancedb");
    shf_reader *reader = open_ok(SHF_OPEN_LAZY, 1);
    shf_snapshot *before = NULL;
    search_shard(reader, 0);
    assert_int_equal(shf_reader_snapshot(reader, &before), SHF_OK);
    char *path = support_find_file(url, "manifest", 0);
    size_t size;
    char *bytes = support_read_file(path, &size);
    refresh_to(reader, "the same", (shf_slice){bytes, size}, 0);
    check_stays(reader, 0, true);
    search_shard(reader, 1);
    assert_int_equal(open_shards(reader), 1);
    check_stays(reader, 0, false);
    free(bytes);
    free(path);
    support_close(reader);
    shf_snapshot_release(before);
}

/* ---- what is given back ---- */

static void test_given_back(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        use_case(cases[i]);
        shf_reader *reader = open_ok(SHF_OPEN_LAZY | SHF_OPEN_PRIVATE_COPY, 1);
        search_shard(reader, 0);
        const shf_runtime_stats before = used();
        unsigned files = descriptors();
        for (uint32_t round = 0; round < 3; round++) {
            shf_op *rows = all_rows(reader);
            shf_op_release(rows);
            for (uint32_t shard = num_dbs; shard-- > 0;) search_shard(reader, shard);
        }
        const shf_runtime_stats after = used();
        assert_true(after.budget_used_bytes == before.budget_used_bytes);
        assert_true(after.mapped_bytes == before.mapped_bytes && after.mapped_bytes > 0);
        assert_int_equal(descriptors(), files);
        support_close(reader);
    }
}

/* In a child nothing of it is touched but what the child gives back. */
static void test_fork(void **state) {
    (void)state;
    use_case("vector-lsh-sqlitevec");
    shf_reader *reader = open_ok(SHF_OPEN_LAZY, 2);
    shf_snapshot *snapshot = NULL;
    shf_query query = query_in(ids, 3);
    shf_op *op = batch(reader, &query, 1);
    assert_int_equal(shf_reader_snapshot(reader, &snapshot), SHF_OK);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        bool ok = shf_op_hit_count(op, 0) == 10 && shf_search(reader, &query, NULL, NULL) != SHF_OK;
        shf_op_release(op);
        shf_snapshot_release(snapshot);
        shf_reader_release(reader);
        _exit(ok ? 0 : 1);
    }
    int result = 1;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
    assert_int_equal(open_shards(reader), 2);
    search_shard(reader, 4);
    assert_int_equal(open_shards(reader), 2);
    shf_op_release(op);
    shf_snapshot_release(snapshot);
    support_close(reader);
}

/* Snapshots with keys keep their shards. */
static void test_with_keys(void **state) {
    (void)state;
    support_copy_tree("tests/data/packages-1k", url);
    static const uint32_t flags[] = {0, SHF_OPEN_LAZY};
    for (size_t i = 0; i < 2; i++) {
        shf_open_info info;
        shf_reader *reader = NULL;
        assert_int_equal(open_bounded(flags[i], 1, &info, &reader), SHF_OK);
        assert_int_equal(open_shards(reader), flags[i] ? 0 : 2);
        float vector[384] = {1};
        shf_query query;
        SHF_INIT(&query);
        query.vector = vector;
        query.dimension = 384;
        query.top_k = 1;
        shf_op_release(batch(reader, &query, 1));
        assert_int_equal(open_shards(reader), 2);
        support_close(reader);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_answers, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(test_least_recently_used, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(test_more_than_the_bound, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(test_like_goes_on, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(test_damaged_meanwhile, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(test_preload, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(test_kept_snapshot, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(test_given_back, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(test_fork, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(test_with_keys, set_up, tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
