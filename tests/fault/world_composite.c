/* tests/data/composite-120, and the same without vectors. */
#include "fault/world.h"
#include "integration/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DATA "tests/data"
#define SAMPLE DATA "/composite-120"
#define DIMENSION 4
#define MOST_ROWS 256
#define PREFIX "s3://fixtures/peer/composite-slatedb-noindex-dot"
#define RUN "a786cb462b564dc3a8c078618d2e9852"
#define MANIFEST "2026-11-22T07:25:31.616252Z_run_id=" RUN

static void remove_file(const char *directory, const char *name) {
    char *path = support_path("%s/%s", directory, name);
    assert_int_equal(unlink(path), 0);
    free(path);
}

/* A shard without rows: a WAL that has a fence only, in a database that was never flushed; and no dataset. */
static void make_second_shard(const struct world *made) {
    char *from = support_path("%s/shards/run_id=" RUN "/db=00000", made->snapshot);
    char *run = support_path("%s/shards/run_id=" WORLD_SECOND_RUN, made->snapshot);
    char *to = support_path("%s/db=00000", run), *attempt = support_path("%s/attempt=00", to);
    char *compacted = support_path("%s/compacted", attempt);
    char *vectors = support_path("%s/vector", attempt);
    assert_int_equal(mkdir(run, 0755), 0);
    support_copy_tree(from, to);
    support_remove_tree(compacted);
    support_remove_tree(vectors);
    remove_file(attempt, "manifest/00000000000000000004.manifest");
    remove_file(attempt, "manifest/00000000000000000005.manifest");
    remove_file(attempt, "wal/00000000000000000002.sst");
    free(from);
    free(run);
    free(to);
    free(attempt);
    free(compacted);
    free(vectors);
}

/* Of absent keys too, but for the empty one, which the recording reader refused. */
static void read_rows(struct world *made) {
    json_t *lines = support_lines(DATA, "composite-120-answers.jsonl");
    made->rows = calloc(MOST_ROWS, sizeof *made->rows);
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *line = json_array_get(lines, i);
        const char *key = json_string_value(json_object_get(json_object_get(line, "key"), "str"));
        const char *value = json_string_value(json_object_get(line, "value"));
        if (!*key) continue;
        assert_true(made->row_count < MOST_ROWS);
        struct world_row *row = &made->rows[made->row_count++];
        row->key = strdup(key);
        if (!value) continue;
        row->values[0] = support_base64(value, &row->sizes[0]);
        if (json_integer_value(json_object_get(line, "shard")) == 1)
            row->values[1] = support_base64(value, &row->sizes[1]);
    }
    json_decref(lines);
}

static void read_query(struct world_query *query, const json_t *line) {
    const json_t *hits = json_object_get(line, "exact"), *shards = json_object_get(line, "shard_ids");
    size_t size;
    query->vector = support_base64(json_string_value(json_object_get(line, "query")), &size);
    assert_int_equal(size, DIMENSION * sizeof(float));
    query->top_k = (uint32_t)json_integer_value(json_object_get(line, "top_k"));
    query->shard_count = (uint32_t)json_array_size(shards);
    query->shard = (uint32_t)json_integer_value(json_array_get(shards, 0));
    query->hit_count = json_array_size(hits);
    query->hits = calloc(query->hit_count, sizeof *query->hits);
    for (size_t i = 0; i < query->hit_count; i++) {
        const json_t *hit = json_array_get(hits, i);
        query->hits[i].id = strdup(json_string_value(json_object_get(hit, "id")));
        query->hits[i].score = json_number_value(json_object_get(hit, "score"));
        query->hits[i].shard = (uint32_t)json_integer_value(json_object_get(hit, "shard"));
    }
}

/* The last line is of shard 1 alone: all of its rows. */
void world_read_composite_queries(struct world *made) {
    static const size_t chosen[WORLD_QUERIES] = {0, 3, 1};
    json_t *lines = support_lines(DATA, "composite-120-queries.jsonl");
    assert_int_equal(json_array_size(lines), 4);
    for (size_t i = 0; i < WORLD_QUERIES; i++) read_query(&made->queries[i], json_array_get(lines, chosen[i]));
    json_decref(lines);
}

static void set_pointers(struct world *made) {
    static const char *const pointers[] = WORLD_POINTERS(PREFIX, RUN, MANIFEST);
    memcpy(made->pointers, pointers, sizeof pointers);
}

void world_make_composite(struct world *made) {
    set_pointers(made);
    made->dimension = DIMENSION;
    support_copy_tree(SAMPLE, made->snapshot);
    make_second_shard(made);
    world_make_manifests(made, RUN, MANIFEST);
    read_rows(made);
    world_read_composite_queries(made);
}

void world_make_keys(struct world *made) {
    static const char *const manifests[] = {MANIFEST, WORLD_SECOND_MANIFEST};
    set_pointers(made);
    support_copy_tree(world_of(WORLD_COMPOSITE)->snapshot, made->snapshot);
    for (size_t i = 0; i < 2; i++) {
        char *path = support_path("%s/manifests/%s/manifest", made->snapshot, manifests[i]);
        world_change(path, "UPDATE build_meta SET custom = '{}'");
        free(path);
    }
    for (int i = 0; i < 3; i++) { /* of the databases nothing is left but the keys */
        char *vectors = support_path("%s/shards/run_id=%s/db=%05d/attempt=00/vector", made->snapshot,
                                     i < 2 ? RUN : WORLD_SECOND_RUN, i % 2);
        support_remove_tree(vectors);
        free(vectors);
    }
    read_rows(made);
}

void world_make_expression(struct world *made) {
    static const char *const manifests[] = {MANIFEST, WORLD_SECOND_MANIFEST};
    set_pointers(made);
    support_copy_tree(world_of(WORLD_KEYS)->snapshot, made->snapshot);
    for (size_t i = 0; i < 2; i++) {
        char *path = support_path("%s/manifests/%s/manifest", made->snapshot, manifests[i]);
        world_change(path, "UPDATE build_meta SET sharding = '{\"strategy\": \"cel\", \"hash_algorithm\": \"xxh3_64\", "
                           "\"cel_columns\": {\"key\": "
                           "\"string\"}, \"cel_expr\": \"shard_hash(key) % 2u\"}'");
        free(path);
    }
    read_rows(made);
}
