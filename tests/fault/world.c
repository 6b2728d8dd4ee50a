#include "fault/world.h"

#include "integration/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_OBJECTS 64

char *world_root;
struct world *world;
static struct world worlds[WORLD_KINDS];

/* ---- making ---- */

void world_change(const char *path, const char *statements) {
    sqlite3 *db = NULL;
    char *problem = NULL;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL), SQLITE_OK); /* no disk is waited for */
    if (sqlite3_exec(db, statements, NULL, NULL, &problem)) fail_msg("%s: %s", path, problem);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

void world_make_manifests(const struct world *made, const char *run, const char *manifest) {
    static const char garbage[] = "SQLite format 3";
    char *from = support_path("%s/manifests/%s", made->snapshot, manifest);
    char *to = support_path("%s/manifests/" WORLD_SECOND_MANIFEST, made->snapshot);
    char *bad = support_path("%s/manifests/" WORLD_BAD_MANIFEST, made->snapshot);
    char *second = support_path("%s/manifest", to), *malformed = support_path("%s/manifest", bad);
    support_copy_tree(from, to);
    support_copy_tree(from, bad);
    support_write_file(malformed, garbage, sizeof garbage);
    char *statements = support_path("UPDATE build_meta SET run_id = '" WORLD_SECOND_RUN "';"
                                    "UPDATE shards SET db_url = replace(db_url, '%s', '" WORLD_SECOND_RUN "'),"
                                    " checkpoint_id = 'second' WHERE db_id = 0",
                                    run);
    world_change(second, statements);
    free(statements);
    free(from);
    free(to);
    free(bad);
    free(second);
    free(malformed);
}

/* Every file that a reader looks at, but the pointer. */
static void collect_objects(struct world *made, const char *below) {
    char *path = support_path("%s/%s", made->snapshot, below);
    DIR *names = opendir(path);
    struct dirent *entry;
    assert_non_null(names);
    while ((entry = readdir(names)) != NULL) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "shard.sidecar") == 0) continue;
        if (!*below && (strcmp(entry->d_name, "_CURRENT") == 0 || strcmp(entry->d_name, "runs") == 0)) continue;
        char *key = support_path("%s%s%s", below, *below ? "/" : "", entry->d_name);
        if (entry->d_type == DT_DIR) {
            collect_objects(made, key);
            free(key);
        } else {
            assert_true(made->object_count < MOST_OBJECTS);
            made->objects[made->object_count++] = key;
        }
    }
    (void)closedir(names);
    free(path);
}

void world_begin(void) {
    static const char *const directories[] = {"unified", "composite", "keys", "vectors", "expression"};
    static void (*const make[])(struct world *) = {world_make_unified, world_make_composite, world_make_keys,
                                                   world_make_vectors, world_make_expression};
    world_root = support_temporary_directory();
    for (int kind = 0; kind < WORLD_KINDS; kind++) {
        struct world *made = &worlds[kind];
        *made = (struct world){.kind = (enum world_kind)kind, .name = directories[kind], .published = WORLD_ABSENT};
        made->snapshot = support_path("%s/%s", world_root, made->name);
        make[kind](made);
        made->objects = calloc(MOST_OBJECTS, sizeof *made->objects);
        collect_objects(made, "");
        char *second = support_path("%s/manifests/" WORLD_SECOND_MANIFEST "/manifest", made->snapshot);
        made->second_manifest.data = support_read_file(second, &made->second_manifest.size);
        free(second);
        world_select((enum world_kind)kind);
        world_publish(WORLD_FIRST);
    }
    world_select(WORLD_UNIFIED);
}

static void drop(struct world *made) {
    for (size_t i = 0; i < made->row_count; i++) {
        free(made->rows[i].key);
        for (int run = 0; run < WORLD_RUNS; run++) free(made->rows[i].values[run]);
    }
    for (size_t i = 0; i < WORLD_QUERIES; i++) {
        struct world_query *query = &made->queries[i];
        for (size_t hit = 0; hit < query->hit_count; hit++) free(query->hits[hit].id);
        free(query->hits);
        free(query->vector);
    }
    for (size_t i = 0; i < made->object_count; i++) free(made->objects[i]);
    free(made->objects);
    free((void *)(uintptr_t)made->second_manifest.data);
    free(made->rows);
    free(made->snapshot);
}

void world_end(void) {
    support_remove_tree(world_root);
    for (int kind = 0; kind < WORLD_KINDS; kind++) drop(&worlds[kind]);
    free(world_root);
}

/* ---- using ---- */

struct world *world_of(enum world_kind kind) {
    return &worlds[kind];
}

void world_select(enum world_kind kind) { world = &worlds[kind]; }

const char *world_pointer_text(enum world_pointer pointer) {
    return pointer == WORLD_ABSENT ? NULL : world->pointers[pointer];
}

void world_publish(enum world_pointer pointer) {
    if (pointer == world->published) return;
    char *path = support_path("%s/_CURRENT", world->snapshot);
    const char *text = world_pointer_text(pointer);
    if (text) {
        support_write_file(path, text, strlen(text));
    } else {
        assert_int_equal(unlink(path), 0);
    }
    world->published = pointer;
    free(path);
}

shf_key world_key(size_t row) {
    const char *key = world->rows[row % world->row_count].key;
    return shf_key_from_text(key, strlen(key));
}

bool world_value_is(size_t row, int run, const shf_value *value) {
    const struct world_row *wanted = &world->rows[row % world->row_count];
    if (!wanted->values[run]) return value->status == SHF_NOT_FOUND;
    return value->status == SHF_OK && value->data.size == wanted->sizes[run] &&
           memcmp(value->data.data, wanted->values[run], wanted->sizes[run]) == 0;
}

shf_query world_query(size_t index) {
    const struct world_query *wanted = &world->queries[index];
    shf_query query;
    SHF_INIT(&query);
    query.vector = (const float *)(const void *)wanted->vector;
    query.dimension = world->dimension;
    query.top_k = wanted->top_k;
    query.shard_ids = wanted->shard_count ? &wanted->shard : NULL;
    query.shard_count = wanted->shard_count;
    return query;
}

static bool hit_is(const shf_hit *hit, const struct world_hit *wanted) {
    double off = hit->score - wanted->score, most = 1e-9 * (1 + (wanted->score < 0 ? -wanted->score : wanted->score));
    bool is_there = wanted->shard == WORLD_ANY_SHARD || hit->shard == wanted->shard;
    return is_there && hit->id.kind == SHF_ID_TEXT && hit->id.text.size == strlen(wanted->id) &&
           memcmp(hit->id.text.data, wanted->id, hit->id.text.size) == 0 && off < most && off > -most;
}

/* Of which run it is. */
static bool payload_is(const shf_hit *hit, int run) {
    static const char second[] = "{\"run\":2}";
    bool says_second =
        hit->payload.size == sizeof second - 1 && memcmp(hit->payload.data, second, sizeof second - 1) == 0;
    return world->kind != WORLD_UNIFIED || says_second == (run == 1 && hit->shard == 0);
}

/* Shard 0 is empty in the second run of a composite snapshot and of one of vectors: what was found in shard 1 comes first then. */
bool world_hits_are(const shf_op *op, size_t at, size_t query, int run) {
    const struct world_query *wanted = &world->queries[query];
    bool is_emptier = run == 1 && (world->kind == WORLD_COMPOSITE || world->kind == WORLD_VECTORS);
    size_t next = 0;
    if (shf_op_hit_count(op, at) != wanted->hit_count) return false;
    for (size_t i = 0; i < wanted->hit_count; i++) {
        shf_hit hit;
        SHF_INIT(&hit);
        if (shf_op_hit(op, at, i, &hit) || !payload_is(&hit, run)) return false;
        while (is_emptier && next < wanted->hit_count && wanted->hits[next].shard == 0) next++;
        if (next < wanted->hit_count && !hit_is(&hit, &wanted->hits[next++])) return false;
        if (is_emptier && hit.shard != 1) return false;
    }
    return true;
}
