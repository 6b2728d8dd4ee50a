#include "fault/scenarios.h"

#include "fault/scenarios_write.h"
#include "fault/stand_in.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY_KEYS 10000
#define SOME_KEYS 100

/* ---- runtime, inspection ---- */

static void make_runtime(struct session *session) {
    shf_runtime_stats stats;
    SHF_INIT(&stats);
    if (!session_make_runtime(session)) return;
    if (shf_runtime_stats_get(session->runtime, &stats) || stats.inflight_ops) (void)session_wrong(session, "stats");
    if (shf_cq_fd(session->cq) < 0) (void)session_wrong(session, "no descriptor");
}

/* Nothing here may need memory but the error of a failure. */
static bool inspect_routing(struct session *session, const shf_snapshot *snapshot) {
    shf_key keys[2] = {world_key(0), world_key(1)}, bad = shf_key_from_text("\xff", 1);
    shf_error *error = NULL;
    uint32_t shards[2] = {9, 9}, shard = 9;
    shf_status status = shf_snapshot_route_key(snapshot, &keys[0], NULL, &shard, &error);
    if (status || error || shard > 1) return session_wrong(session, "route_key");
    status = shf_snapshot_shards_for_keys(snapshot, keys, 2, NULL, shards, &error);
    if (status || error || shards[0] != shard) return session_wrong(session, "shards_for_keys");
    status = shf_snapshot_route_key(snapshot, &bad, NULL, &shard, &error);
    bool is_right = error && shf_error_code(error) == status && *shf_error_message(error);
    shf_error_free(error);
    if (!is_right) return session_wrong(session, "no error object for a bad key");
    if (status == SHF_E_INVALID) return true;
    return session_status(session, status, "shf_snapshot_route_key");
}

static void inspect(struct session *session) {
    shf_snapshot *snapshot = NULL;
    shf_snapshot_info info;
    shf_shard_info shard;
    shf_vector_info vectors;
    shf_health_info health;
    SHF_INIT(&info);
    SHF_INIT(&shard);
    SHF_INIT(&vectors);
    SHF_INIT(&health);
    if (!session_status(session, shf_reader_snapshot(session->reader, &snapshot), "shf_reader_snapshot")) return;
    if (shf_snapshot_describe(snapshot, &info) || info.num_dbs != 2 || info.row_count != 1000) {
        (void)session_wrong(session, "shf_snapshot_describe");
    }
    if (shf_snapshot_shard(snapshot, 1, &shard) || shard.row_count != 509)
        (void)session_wrong(session, "shf_snapshot_shard");
    if (shf_snapshot_vectors(snapshot, &vectors) || vectors.dimension != WORLD_UNIFIED_DIMENSION) {
        (void)session_wrong(session, "shf_snapshot_vectors");
    }
    if (shf_health(session->reader, 0, &health) || health.status != SHF_HEALTHY || health.num_shards != 2) {
        (void)session_wrong(session, "shf_health");
    }
    (void)inspect_routing(session, snapshot);
    shf_snapshot_release(snapshot);
}

/* ---- open ---- */

static void open_reader(struct session *session) { (void)session_open(session); }

static void open_sync(struct session *session) {
    shf_reader_options options = session_options(session);
    shf_op *op = NULL;
    shf_status status = shf_open_sync(session->runtime, &options, session_timeout_ms, &op);
    if (session_ended(session, status, op)) {
        status = shf_op_take_reader(op, &session->reader);
        if (status) (void)session_wrong(session, "shf_op_take_reader: %d", status);
    }
    shf_op_release(op);
}

/* With more options, and not taken: it goes with its operation. */
static void open_pinned(struct session *session) {
    static const char *const prefixes[] = {"/nonexistent/a", "/nonexistent/b", NULL};
    shf_reader_options options = session_options(session);
    shf_op *op = NULL;
    options.history_offset = 3; /* behind the malformed one and the second run */
    options.allowed_prefixes = prefixes;
    shf_status status = shf_open_sync(session->runtime, &options, session_timeout_ms, &op);
    (void)session_ended(session, status, op);
    shf_op_release(op);
}

/* The second run's manifest, kept elsewhere, with the pointer at its default place named. */
static void open_given(struct session *session) {
    shf_reader_options options = session_options(session);
    shf_op *op = NULL;
    options.manifest = world->second_manifest;
    options.manifest_ref = "kept elsewhere";
    options.current_pointer_key = "_CURRENT";
    session->serves = 1;
    shf_status status = shf_open_sync(session->runtime, &options, session_timeout_ms, &op);
    if (session_ended(session, status, op) && shf_op_take_reader(op, &session->reader)) {
        (void)session_wrong(session, "shf_op_take_reader");
    }
    shf_op_release(op);
}

/* The malformed manifest is the newest; the second run is the one before. */
static void open_fallback(struct session *session) {
    shf_snapshot *snapshot = NULL;
    session->serves = 1;
    if (!session_open(session) || !session_manifests_may_go) return;
    shf_snapshot_info info;
    SHF_INIT(&info);
    if (shf_reader_snapshot(session->reader, &snapshot) || shf_snapshot_describe(snapshot, &info)) {
        (void)session_wrong(session, "no snapshot");
    } else {
        session->serves = strncmp(info.run_id, "5ec0d0", 6) == 0;
    }
    shf_snapshot_release(snapshot);
}

static bool get_one(struct session *session, size_t row) {
    shf_key key = world_key(row);
    shf_call call = session_call(session);
    shf_op_id id = 0;
    shf_status submitted = shf_get(session->reader, &key, NULL, &call, &id);
    shf_op *op = session_wait(session, submitted, id);
    bool ok = op && session_values_are_right(session, op, row, 1);
    shf_op_release(op);
    return ok;
}

static void open_and_get(struct session *session) {
    (void)(session_open(session) && get_one(session, 0) && get_one(session, 1) && get_one(session, 500));
}

/* An object is gone when it is asked for, and there the next time: who opens looks for a newer manifest. */
static void open_with_a_gap(struct session *session, enum shf_store_verb verb, uint64_t ordinal) {
    const struct shf_fault_rule rule = {
        .verb = verb, .first = ordinal, .count = 1, .kind = SHF_FAULT_FAIL, .status = SHF_E_NOT_FOUND, .http_status = 404};
    if (!shf_store_fault_add(stand_in_store(), &rule)) {
        (void)session_wrong(session, "no room for a rule");
    } else {
        (void)session_open(session);
    }
}
/* The rule may not have been met. */
static void heal(struct session *session) {
    (void)session;
    shf_store_fault_reset(stand_in_store());
}
static void open_gone_1(struct session *session) { open_with_a_gap(session, SHF_STORE_HEAD, 1); }
static void open_gone_3(struct session *session) { open_with_a_gap(session, SHF_STORE_HEAD, 3); }
static void open_gone_get_4(struct session *session) { open_with_a_gap(session, SHF_STORE_GET, 4); }
static void open_gone_get_8(struct session *session) { open_with_a_gap(session, SHF_STORE_GET, 8); }

/* ---- lookups ---- */

static void get(struct session *session) { (void)get_one(session, 700); }
static void get_long(struct session *session) { (void)(get_one(session, 0) && get_one(session, 1)); }

static void get_sync(struct session *session) {
    shf_key key = world_key(3), absent = shf_key_from_text("no such key", 11);
    shf_op *op = NULL, *none = NULL;
    shf_status status = shf_get_sync(session->reader, &key, NULL, 0, &op);
    if (session_ended(session, status, op)) (void)session_values_are_right(session, op, 3, 1);
    status = shf_get_sync(session->reader, &absent, NULL, 0, &none);
    if (session_ended(session, status, none)) {
        shf_value value;
        SHF_INIT(&value);
        if (shf_op_value(none, 0, &value) || value.status != SHF_NOT_FOUND)
            (void)session_wrong(session, "a key too many");
    }
    shf_op_release(op);
    shf_op_release(none);
}

static void get_many(struct session *session, size_t count) {
    shf_key *keys = malloc(count * sizeof *keys);
    shf_call call = session_call(session);
    shf_op_id id = 0;
    for (size_t i = 0; i < count; i++) keys[i] = world_key(i);
    shf_status submitted = shf_multi_get(session->reader, keys, count, NULL, &call, &id);
    free(keys); /* copied by the call */
    shf_op *op = session_wait(session, submitted, id);
    if (op) (void)session_values_are_right(session, op, 0, count);
    shf_op_release(op);
}
/* The answers within the call, and the refusal where there is none. */
static void get_now(struct session *session) {
    shf_key keys[2] = {world_key(3), world_key(4)};
    shf_op *one = NULL, *both = NULL;
    shf_status status = shf_get_now(session->reader, &keys[0], NULL, &one);
    if (status == SHF_WOULD_WAIT) {
        if (one) (void)session_wrong(session, "an operation beside SHF_WOULD_WAIT");
        get_many(session, 2);
        return;
    }
    if (session_ended(session, status, one)) (void)session_values_are_right(session, one, 3, 1);
    status = shf_multi_get_now(session->reader, keys, 2, NULL, &both);
    if (session_ended(session, status, both)) (void)session_values_are_right(session, both, 3, 2);
    shf_op_release(one);
    shf_op_release(both);
}

/* By stored bytes, in the shard that the key is in. */
static void get_stored(struct session *session) {
    const shf_key key = world_key(3);
    shf_snapshot *snapshot = NULL;
    shf_call call = session_call(session);
    shf_op_id id = 0;
    uint32_t shard = 0;
    if (shf_reader_snapshot(session->reader, &snapshot) || shf_snapshot_route_key(snapshot, &key, NULL, &shard, NULL)) {
        (void)session_wrong(session, "no snapshot");
    } else {
        shf_status submitted = shf_get_stored(session->reader, snapshot, shard, &key.as.bytes, 1, &call, &id);
        shf_op *op = session_wait(session, submitted, id);
        if (op) (void)session_values_are_right(session, op, 3, 1);
        shf_op_release(op);
    }
    shf_snapshot_release(snapshot);
}

static void multi_get_1(struct session *session) { get_many(session, 1); }
static void multi_get_100(struct session *session) { get_many(session, SOME_KEYS); }
static void multi_get_10000(struct session *session) { get_many(session, MANY_KEYS); }

/* An integer is no key of this snapshot: the operation fails with a text that names the key. */
static void multi_get_bad(struct session *session) {
    shf_key keys[3] = {world_key(0), world_key(1), shf_key_from_int(5)};
    shf_op *op = NULL;
    shf_status status = shf_multi_get_sync(session->reader, keys, 3, NULL, 0, &op);
    (void)session_ended(session, status, op);
    shf_op_release(op);
}

/* Buffers outlive their operation. */
static void buffers(struct session *session) {
    shf_op *op = NULL;
    shf_buf *held[2] = {NULL, NULL};
    shf_slice data[2] = {{NULL, 0}, {NULL, 0}};
    static const size_t rows[2] = {0, 600};
    for (int i = 0; i < 2; i++) {
        shf_key key = world_key(rows[i]);
        shf_value value;
        SHF_INIT(&value);
        shf_status status = shf_get_sync(session->reader, &key, NULL, 0, &op);
        if (session_ended(session, status, op) && shf_op_value(op, 0, &value) == SHF_OK) {
            held[i] = shf_buf_retain(value.buf);
            data[i] = value.data;
        }
        shf_op_release(op);
        op = NULL;
    }
    for (int i = 0; i < 2; i++) {
        shf_value value = {sizeof value, SHF_OK, data[i], held[i]};
        if (held[i] && !world_value_is(rows[i], session->serves, &value))
            (void)session_wrong(session, "a held value changed");
        shf_buf_release(held[i]);
    }
}

/* ---- search ---- */

static void search_with(struct session *session, const shf_query *query) {
    shf_call call = session_call(session);
    shf_op_id id = 0;
    shf_status submitted = shf_search(session->reader, query, &call, &id);
    shf_op *op = session_wait(session, submitted, id);
    if (op) (void)session_hits_are_right(session, op, 1);
    shf_op_release(op);
}

static void search(struct session *session) {
    shf_query query = world_query(0);
    search_with(session, &query);
}

static void search_shards(struct session *session) {
    static const uint32_t shards[] = {1, 0};
    shf_query query = world_query(0);
    query.shard_ids = shards;
    query.shard_count = 2;
    search_with(session, &query);
}

/* Each opens a shard and closes another, where one may be open. */
static void search_in_turn(struct session *session) {
    static const uint32_t turns[] = {0, 1, 0};
    for (size_t i = 0; i < sizeof turns / sizeof turns[0]; i++) {
        shf_query query = world_query(0);
        shf_op *op = NULL;
        query.shard_ids = &turns[i];
        query.shard_count = 1;
        shf_status status = shf_search_sync(session->reader, &query, session_timeout_ms, &op);
        bool ok = session_ended(session, status, op);
        if (ok && !shf_op_hit_count(op, 0)) ok = session_wrong(session, "nothing in shard %u", turns[i]);
        shf_op_release(op);
        if (!ok) return;
    }
    search(session);
}

static void route_vector(struct session *session) {
    shf_query query = world_query(0);
    shf_snapshot *snapshot = NULL;
    shf_error *error = NULL;
    uint32_t shards[2] = {9, 9}, count = 0;
    if (!session_status(session, shf_reader_snapshot(session->reader, &snapshot), "shf_reader_snapshot")) return;
    shf_status status =
        shf_snapshot_route_vector(snapshot, query.vector, query.dimension, NULL, 0, shards, 2, &count, &error);
    if ((status != SHF_OK) != (error != NULL) || shf_error_code(error) != status) {
        (void)session_wrong(session, "an error object that does not fit its status");
    } else if (session_status(session, status, "shf_snapshot_route_vector") &&
               (count != 2 || shards[0] > 1 || shards[0] + shards[1] != 1)) {
        (void)session_wrong(session, "the vector is routed to %u shards, %u first", count, shards[0]);
    }
    shf_error_free(error);
    shf_snapshot_release(snapshot);
}

/* A vector's own neighbours by dot product are others than itself: they must stay the same. */
static void search_like_dot(struct session *session) {
    static char firsts[WORLD_KINDS][1024]; /* what came of the first run, which is one without a fault */
    char *first = firsts[world->kind];
    const struct world_hit *wanted = &world->queries[0].hits[0];
    shf_vector_id like = {.kind = SHF_ID_TEXT, .text = {wanted->id, strlen(wanted->id)}};
    shf_query query;
    shf_op *op = NULL;
    char text[sizeof firsts[0]] = "";
    size_t used = 0;
    SHF_INIT(&query);
    query.top_k = 5;
    query.like = &like;
    shf_status status = shf_search_sync(session->reader, &query, 0, &op);
    if (!session_ended(session, status, op)) goto done;
    for (size_t i = 0; i < shf_op_hit_count(op, 0) && used < sizeof text; i++) {
        shf_hit hit;
        SHF_INIT(&hit);
        (void)shf_op_hit(op, 0, i, &hit);
        used += (size_t)snprintf(text + used, sizeof text - used, "%.*s %.17g, ", (int)hit.id.text.size,
                                 (const char *)hit.id.text.data, hit.score);
    }
    if (!*first && shf_op_hit_count(op, 0) == query.top_k) memcpy(first, text, sizeof text);
    if (strcmp(first, text) != 0) (void)session_wrong(session, "like another: %s", text);
done:
    shf_op_release(op);
}

/* The nearest to a stored vector is itself. */
static void search_like(struct session *session) {
    shf_key key = world_key(2);
    shf_vector_id like = {.kind = SHF_ID_TEXT, .text = key.as.bytes};
    shf_query query;
    shf_op *op = NULL;
    SHF_INIT(&query);
    query.top_k = 5;
    query.like = &like;
    shf_status status = shf_search_sync(session->reader, &query, 0, &op);
    if (session_ended(session, status, op)) {
        shf_hit hit;
        SHF_INIT(&hit);
        if (shf_op_hit_count(op, 0) != 5 || shf_op_hit(op, 0, 0, &hit) || hit.id.text.size != like.text.size ||
            memcmp(hit.id.text.data, like.text.data, like.text.size) != 0) {
            (void)session_wrong(session, "the nearest to a stored vector is another");
        }
    }
    shf_op_release(op);
}

/* The first row of a shard, by its place and among all hits: the answer is that of the place's row. */
static void search_like_place(struct session *session) {
    static double scores[WORLD_KINDS]; /* to itself, in the first run, which is one without a fault */
    static const shf_vector_place place = {.shard = 1};
    shf_query query;
    shf_op *op = NULL;
    double score = NAN;
    SHF_INIT(&query);
    query.top_k = 5000; /* more than any world has */
    query.like_place = &place;
    shf_status status = shf_search_sync(session->reader, &query, 0, &op);
    if (!session_ended(session, status, op)) goto done;
    for (size_t i = 0; i < shf_op_hit_count(op, 0); i++) {
        shf_hit hit;
        SHF_INIT(&hit);
        if (!shf_op_hit(op, 0, i, &hit) && hit.shard == 1 && hit.row == 0) score = hit.score;
    }
    if (isnan(score)) {
        (void)session_wrong(session, "the row of a place is not among all rows");
    } else if (scores[world->kind] == 0) {
        scores[world->kind] = score;
    } else if (score != scores[world->kind]) {
        (void)session_wrong(session, "another score of the row of a place: %.17g", score);
    }
done:
    shf_op_release(op);
}

static void batch_search(struct session *session) {
    shf_query queries[WORLD_QUERIES];
    shf_call call = session_call(session);
    shf_op_id id = 0;
    for (size_t i = 0; i < WORLD_QUERIES; i++) queries[i] = world_query(i);
    shf_status submitted = shf_batch_search(session->reader, queries, WORLD_QUERIES, &call, &id);
    shf_op *op = session_wait(session, submitted, id);
    if (op) (void)session_hits_are_right(session, op, WORLD_QUERIES);
    shf_op_release(op);
}

/* ---- refresh, close, history ---- */

static bool info_of(struct session *session, const shf_op *op, shf_open_info *info) {
    return shf_op_open_info(op, info) == SHF_OK || session_wrong(session, "shf_op_open_info");
}

static void refreshed(struct session *session, shf_status submitted, shf_op_id id, uint32_t changed, uint32_t malformed) {
    shf_open_info info;
    SHF_INIT(&info);
    shf_op *op = session_wait(session, submitted, id);
    if (!op) return;
    if (info_of(session, op, &info) && info.manifest_malformed && !malformed) {
        (void)session_status(session, SHF_E_MANIFEST, "the refresh finds the manifest malformed");
    } else if (info.changed != changed || info.manifest_malformed != malformed) {
        (void)session_wrong(session, "refresh says changed %u, malformed %u", info.changed, info.manifest_malformed);
    }
    if (info.changed) session->serves = session->scenario->published == WORLD_SECOND;
    shf_op_release(op);
}
static void refresh_to(struct session *session, uint32_t changed, uint32_t malformed) {
    shf_call call = session_call(session);
    shf_op_id id = 0;
    shf_status submitted = shf_refresh(session->reader, &call, &id);
    refreshed(session, submitted, id, changed, malformed);
}
static void refresh_given(struct session *session) {
    shf_call call = session_call(session);
    shf_op_id id = 0;
    shf_status submitted = shf_refresh_to(session->reader, "kept elsewhere", world->second_manifest, &call, &id);
    refreshed(session, submitted, id, 1, 0);
}
static void refresh_changed(struct session *session) { refresh_to(session, 1, 0); }
static void refresh_unchanged(struct session *session) { refresh_to(session, 0, 0); }
static void refresh_malformed(struct session *session) { refresh_to(session, 0, 1); }

/* The stores go on with the old ones, or with the new ones. */
static void set_credentials(struct session *session) {
    shf_status status = shf_reader_set_credentials(session->reader, "key-id", "secret", "token");
    if (session_status(session, status, "shf_reader_set_credentials")) (void)get_one(session, 3);
}

/* Another operation may be running: it ends, one way or the other. */
static void close_with(struct session *session, int mode) {
    shf_query query = world_query(0);
    shf_call call = session_call(session);
    shf_op_id ids[2] = {0, 0};
    shf_op *op = NULL;
    shf_status searching = shf_search(session->reader, &query, &call, &ids[0]);
    shf_status closing = shf_close(session->reader, mode, &call, &ids[1]);
    if (!searching && shf_await(session->cq, ids[0], 60000, &op) == SHF_OK) {
        shf_status status = shf_op_status(op);
        if (status && mode == SHF_CLOSE_DRAIN) (void)session_ended(session, status, op);
        if (!status) (void)session_hits_are_right(session, op, 1);
        shf_op_release(op);
    }
    shf_op_release(session_wait(session, closing, ids[1]));
    (void)session_status(session, searching, "shf_search");
}
static void close_drain(struct session *session) { close_with(session, SHF_CLOSE_DRAIN); }
static void close_cancel(struct session *session) { close_with(session, SHF_CLOSE_CANCEL); }

static void release_unclosed(struct session *session) {
    shf_reader_release(session->reader);
    session->reader = NULL;
}

/* The shards that a search waits for are still being opened. */
static void search_and_release(struct session *session) {
    shf_query query = world_query(0);
    shf_call call = session_call(session);
    shf_op_id id = 0;
    shf_status submitted = shf_search(session->reader, &query, &call, &id);
    release_unclosed(session);
    shf_op *op = NULL;
    if (!session_status(session, submitted, "shf_search")) return;
    if (shf_await(session->cq, id, 60000, &op)) {
        (void)session_wrong(session, "a search does not end");
    } else if (shf_op_status(op) == SHF_OK) {
        (void)session_hits_are_right(session, op, 1);
    }
    shf_op_release(op);
}

static void history(struct session *session) {
    shf_reader_options options = session_options(session);
    shf_call call = session_call(session);
    shf_op_id id = 0;
    shf_status submitted = shf_history(session->runtime, &options, 2, &call, &id);
    shf_op *op = session_wait(session, submitted, id);
    shf_manifest_entry entry;
    SHF_INIT(&entry);
    if (op &&
        (shf_op_manifest_count(op) != 2 || shf_op_manifest(op, 1, &entry) || strncmp(entry.run_id, "5ec0d0", 6) != 0)) {
        (void)session_wrong(session, "the history is not right");
    }
    shf_op_release(op);
}

#define COPY SHF_OPEN_PRIVATE_COPY
#define LAZY SHF_OPEN_LAZY

const struct scenario scenarios[] = {
    {.name = "runtime", .run = make_runtime},
    {.name = "open, cold", .run = open_reader, .start = START_RUNTIME, .cache = CACHE_COLD},
    {.name = "open, cold, copies", .run = open_reader, .start = START_RUNTIME, .cache = CACHE_COLD, .flags = COPY},
    {.name = "open, warm", .run = open_sync, .start = START_RUNTIME},
    {.name = "open, warm, copies", .run = open_reader, .start = START_RUNTIME, .flags = COPY},
    {.name = "open, lazy, and get", .run = open_and_get, .start = START_RUNTIME, .cache = CACHE_COLD, .flags = LAZY | COPY},
    {.name = "open, pinned", .run = open_pinned, .start = START_RUNTIME},
    {.name = "open, given", .run = open_given, .start = START_RUNTIME, .published = WORLD_SECOND},
    {.name = "open, fallback", .run = open_fallback, .start = START_RUNTIME, .published = WORLD_MALFORMED},
    {.name = "open, dangling",
     .run = open_sync,
     .start = START_RUNTIME,
     .published = WORLD_DANGLING,
     .expected = SHF_E_NOT_FOUND},
    {.name = "open, no pointer", .run = open_reader, .start = START_RUNTIME, .published = WORLD_ABSENT, .expected = SHF_E_STATE},
    {.name = "get", .run = get, .start = START_READER},
    {.name = "get, long", .run = get_long, .start = START_READER},
    {.name = "get, sync", .run = get_sync, .start = START_READER},
    {.name = "get, now", .run = get_now, .start = START_READER},
    {.name = "get, now, lazy", .run = get_now, .start = START_READER, .flags = LAZY},
    {.name = "get, lazy", .run = get_long, .start = START_READER, .cache = CACHE_COLD, .flags = LAZY | COPY},
    {.name = "get, stored", .run = get_stored, .start = START_READER},
    {.name = "get, stored, lazy", .run = get_stored, .start = START_READER, .flags = LAZY},
    {.name = "multi_get, 1", .run = multi_get_1, .start = START_READER},
    {.name = "multi_get, 100", .run = multi_get_100, .start = START_READER},
    {.name = "multi_get, 10000", .run = multi_get_10000, .start = START_READER},
    {.name = "multi_get, 100, lazy", .run = multi_get_100, .start = START_READER, .flags = LAZY},
    {.name = "multi_get, bad key", .run = multi_get_bad, .start = START_READER, .expected = SHF_E_INVALID},
    {.name = "buffers", .run = buffers, .start = START_READER},
    {.name = "search", .run = search, .start = START_READER},
    {.name = "search, lazy", .run = search, .start = START_READER, .cache = CACHE_COLD, .flags = LAZY},
    {.name = "search, shard ids", .run = search_shards, .start = START_READER},
    {.name = "search, like", .run = search_like, .start = START_READER},
    {.name = "search, like, place", .run = search_like_place, .start = START_READER},
    {.name = "batch_search", .run = batch_search, .start = START_READER},
    {.name = "refresh, changed",
     .run = refresh_changed,
     .start = START_READER,
     .cache = CACHE_COLD,
     .flags = COPY,
     .published = WORLD_SECOND},
    {.name = "refresh, changed, lazy", .run = refresh_changed, .start = START_READER, .flags = LAZY, .published = WORLD_SECOND},
    {.name = "refresh, given", .run = refresh_given, .start = START_READER, .flags = COPY, .published = WORLD_SECOND},
    {.name = "refresh, unchanged", .run = refresh_unchanged, .start = START_READER},
    {.name = "refresh, malformed", .run = refresh_malformed, .start = START_READER, .published = WORLD_MALFORMED},
    {.name = "refresh, dangling",
     .run = refresh_changed,
     .start = START_READER,
     .published = WORLD_DANGLING,
     .expected = SHF_E_NOT_FOUND},
    {.name = "close, drain", .run = close_drain, .start = START_READER, .closes = true},
    {.name = "close, cancel", .run = close_cancel, .start = START_READER, .closes = true},
    {.name = "release", .run = release_unclosed, .start = START_READER},
    {.name = "open, cold, store", .run = open_reader, .start = START_RUNTIME, .cache = CACHE_COLD, .over_store = true},
    {.name = "open, warm, store", .run = open_reader, .start = START_RUNTIME, .over_store = true},
    {.name = "open, lazy, and get, store",
     .run = open_and_get,
     .start = START_RUNTIME,
     .cache = CACHE_COLD,
     .flags = LAZY,
     .over_store = true},
    {.name = "open, fallback, store",
     .run = open_fallback,
     .start = START_RUNTIME,
     .published = WORLD_MALFORMED,
     .over_store = true},
    {.name = "open, pinned, store", .run = open_pinned, .start = START_RUNTIME, .over_store = true},
    {.name = "get, lazy, store", .run = get_long, .start = START_READER, .cache = CACHE_COLD, .flags = LAZY, .over_store = true},
    {.name = "search, lazy, store", .run = search, .start = START_READER, .cache = CACHE_COLD, .flags = LAZY, .over_store = true},
    {.name = "refresh, changed, store",
     .run = refresh_changed,
     .start = START_READER,
     .cache = CACHE_COLD,
     .published = WORLD_SECOND,
     .over_store = true},
    {.name = "credentials, store", .run = set_credentials, .start = START_READER, .flags = LAZY, .over_store = true},
    {.name = "refresh, unchanged, store", .run = refresh_unchanged, .start = START_READER, .over_store = true},
    {.name = "refresh, malformed, store",
     .run = refresh_malformed,
     .start = START_READER,
     .published = WORLD_MALFORMED,
     .over_store = true},
    {.name = "close, cancel, store",
     .run = close_cancel,
     .start = START_READER,
     .cache = CACHE_COLD,
     .flags = LAZY,
     .closes = true,
     .over_store = true},
    {.name = "history, store", .run = history, .start = START_RUNTIME, .over_store = true},
    {.name = "history", .run = history, .start = START_RUNTIME},
    {.name = "write", .run = write_and_publish, .check = write_check, .start = START_RUNTIME, .writes = true},
    {.name = "write, more than fits",
     .run = write_more_than_fits,
     .check = write_check,
     .start = START_RUNTIME,
     .writes = true},
    {.name = "write by an expression",
     .run = write_by_expression,
     .check = write_check,
     .start = START_RUNTIME,
     .writes = true},
    {.name = "write vectors, centroids", .run = write_and_train, .check = write_check, .start = START_RUNTIME, .writes = true},
    {.name = "write vectors, hashed",
     .run = write_hashed_vectors,
     .check = write_check,
     .start = START_RUNTIME,
     .writes = true},
    {.name = "write vectors, centroids, store",
     .run = write_and_train,
     .check = write_check,
     .start = START_RUNTIME,
     .writes = true,
     .over_store = true},
    {.name = "write, and give up", .run = write_and_give_up, .check = write_check, .start = START_RUNTIME, .writes = true},
    {.name = "write, duplicates",
     .run = write_duplicates,
     .check = write_check,
     .start = START_RUNTIME,
     .expected = SHF_E_INVALID,
     .writes = true},
    {.name = "write, store",
     .run = write_and_publish,
     .check = write_check,
     .start = START_RUNTIME,
     .writes = true,
     .over_store = true},
    {.name = "inspection", .run = inspect, .start = START_READER},

#define COMPOSITE .world = WORLD_COMPOSITE
    {.name = "composite, open, cold", COMPOSITE, .run = open_reader, .start = START_RUNTIME, .cache = CACHE_COLD},
    {.name = "composite, open, cold, copies",
     COMPOSITE,
     .run = open_reader,
     .start = START_RUNTIME,
     .cache = CACHE_COLD,
     .flags = COPY},
    {.name = "composite, open, warm", COMPOSITE, .run = open_sync, .start = START_RUNTIME},
    {.name = "composite, open, warm, copies", COMPOSITE, .run = open_reader, .start = START_RUNTIME, .flags = COPY},
    {.name = "composite, open, lazy, and get",
     COMPOSITE,
     .run = open_and_get,
     .start = START_RUNTIME,
     .cache = CACHE_COLD,
     .flags = LAZY | COPY},
    {.name = "composite, get", COMPOSITE, .run = get_sync, .start = START_READER},
    {.name = "composite, get, stored", COMPOSITE, .run = get_stored, .start = START_READER},
    {.name = "composite, get, lazy", COMPOSITE, .run = get_long, .start = START_READER, .cache = CACHE_COLD, .flags = LAZY},
    {.name = "composite, multi_get", COMPOSITE, .run = multi_get_100, .start = START_READER},
    {.name = "composite, multi_get, 10000", COMPOSITE, .run = multi_get_10000, .start = START_READER},
    {.name = "composite, buffers", COMPOSITE, .run = buffers, .start = START_READER},
    {.name = "composite, search", COMPOSITE, .run = search, .start = START_READER},
    {.name = "composite, search, lazy", COMPOSITE, .run = search, .start = START_READER, .cache = CACHE_COLD, .flags = LAZY},
    {.name = "composite, search, like", COMPOSITE, .run = search_like_dot, .start = START_READER},
    {.name = "composite, batch_search", COMPOSITE, .run = batch_search, .start = START_READER},
    {.name = "composite, refresh",
     COMPOSITE,
     .run = refresh_changed,
     .start = START_READER,
     .cache = CACHE_COLD,
     .flags = COPY,
     .published = WORLD_SECOND},
    {.name = "composite, refresh, back",
     COMPOSITE,
     .run = refresh_changed,
     .start = START_READER,
     .cache = CACHE_COLD,
     .opened = WORLD_SECOND},
    {.name = "composite, close, cancel",
     COMPOSITE,
     .run = close_cancel,
     .start = START_READER,
     .cache = CACHE_COLD,
     .flags = LAZY | COPY,
     .closes = true},
    {.name = "composite, release",
     COMPOSITE,
     .run = search_and_release,
     .start = START_READER,
     .cache = CACHE_COLD,
     .flags = LAZY | COPY},
    {.name = "composite, open, cold, store",
     COMPOSITE,
     .run = open_reader,
     .start = START_RUNTIME,
     .cache = CACHE_COLD,
     .over_store = true},
#define GONE COMPOSITE, .check = heal, .start = START_RUNTIME, .cache = CACHE_COLD, .over_store = true
    {.name = "composite, open, HEAD 1 gone, store", GONE, .run = open_gone_1},
    {.name = "composite, open, HEAD 3 gone, store", GONE, .run = open_gone_3},
    {.name = "composite, open, GET 4 gone, store", GONE, .run = open_gone_get_4},
    {.name = "composite, open, GET 8 gone, store", GONE, .run = open_gone_get_8},
    {.name = "composite, open, warm, store", COMPOSITE, .run = open_reader, .start = START_RUNTIME, .over_store = true},
    {.name = "composite, get, lazy, store",
     COMPOSITE,
     .run = get_long,
     .start = START_READER,
     .cache = CACHE_COLD,
     .flags = LAZY,
     .over_store = true},
    {.name = "composite, search, lazy, store",
     COMPOSITE,
     .run = search,
     .start = START_READER,
     .cache = CACHE_COLD,
     .flags = LAZY,
     .over_store = true},
    {.name = "composite, refresh, store",
     COMPOSITE,
     .run = refresh_changed,
     .start = START_READER,
     .cache = CACHE_COLD,
     .published = WORLD_SECOND,
     .over_store = true},
    {.name = "composite, close, cancel, store",
     COMPOSITE,
     .run = close_cancel,
     .start = START_READER,
     .cache = CACHE_COLD,
     .flags = LAZY,
     .closes = true,
     .over_store = true},

#define KEYS .world = WORLD_KEYS
    {.name = "keys, open, cold", KEYS, .run = open_reader, .start = START_RUNTIME, .cache = CACHE_COLD},
    {.name = "keys, open, warm, copies", KEYS, .run = open_sync, .start = START_RUNTIME, .flags = COPY},
    {.name = "keys, get, lazy", KEYS, .run = get_long, .start = START_READER, .cache = CACHE_COLD, .flags = LAZY | COPY},
    {.name = "keys, multi_get", KEYS, .run = multi_get_100, .start = START_READER},
    {.name = "keys, refresh",
     KEYS,
     .run = refresh_changed,
     .start = START_READER,
     .cache = CACHE_COLD,
     .flags = COPY,
     .published = WORLD_SECOND},
    {.name = "keys, open, cold, store",
     KEYS,
     .run = open_reader,
     .start = START_RUNTIME,
     .cache = CACHE_COLD,
     .over_store = true},
    {.name = "keys, get, lazy, store", KEYS, .run = get_long, .start = START_READER, .flags = LAZY, .over_store = true},

#define VECTORS .world = WORLD_VECTORS
    {.name = "vectors, open, cold", VECTORS, .run = open_reader, .start = START_RUNTIME, .cache = CACHE_COLD},
    {.name = "vectors, open, warm, copies", VECTORS, .run = open_sync, .start = START_RUNTIME, .flags = COPY},
    {.name = "vectors, route", VECTORS, .run = route_vector, .start = START_READER},
    {.name = "vectors, search", VECTORS, .run = search, .start = START_READER},
    {.name = "vectors, search, lazy", VECTORS, .run = search, .start = START_READER, .cache = CACHE_COLD, .flags = LAZY},
    {.name = "vectors, search, like", VECTORS, .run = search_like_dot, .start = START_READER},
    {.name = "vectors, search, place, lazy",
     VECTORS,
     .run = search_like_place,
     .start = START_READER,
     .cache = CACHE_COLD,
     .flags = LAZY},
    {.name = "vectors, batch_search", VECTORS, .run = batch_search, .start = START_READER},
    {.name = "vectors, refresh",
     VECTORS,
     .run = refresh_changed,
     .start = START_READER,
     .cache = CACHE_COLD,
     .flags = COPY,
     .published = WORLD_SECOND},
    {.name = "vectors, refresh, back",
     VECTORS,
     .run = refresh_changed,
     .start = START_READER,
     .cache = CACHE_COLD,
     .opened = WORLD_SECOND},
    {.name = "vectors, release",
     VECTORS,
     .run = search_and_release,
     .start = START_READER,
     .cache = CACHE_COLD,
     .flags = LAZY | COPY},
#define BOUNDED VECTORS, .max_open_shards = 1, .start = START_READER
    {.name = "vectors, in turn, bounded", BOUNDED, .run = search_in_turn, .cache = CACHE_COLD, .flags = LAZY},
    {.name = "vectors, in turn, bounded, warm, copies", BOUNDED, .run = search_in_turn, .flags = LAZY | COPY},
    {.name = "vectors, like, bounded", BOUNDED, .run = search_like_dot, .flags = LAZY},
    {.name = "vectors, batch_search, bounded", BOUNDED, .run = batch_search},
    {.name = "vectors, refresh, bounded",
     BOUNDED,
     .run = refresh_changed,
     .cache = CACHE_COLD,
     .flags = COPY,
     .published = WORLD_SECOND},
    {.name = "vectors, release, bounded", BOUNDED, .run = search_and_release, .cache = CACHE_COLD, .flags = LAZY | COPY},
    {.name = "vectors, in turn, bounded, store", BOUNDED, .run = search_in_turn, .flags = LAZY, .over_store = true},
    {.name = "vectors, open, cold, store",
     VECTORS,
     .run = open_reader,
     .start = START_RUNTIME,
     .cache = CACHE_COLD,
     .over_store = true},
    {.name = "vectors, search, lazy, store",
     VECTORS,
     .run = search,
     .start = START_READER,
     .cache = CACHE_COLD,
     .flags = LAZY,
     .over_store = true},
    {.name = "vectors, refresh, store",
     VECTORS,
     .run = refresh_changed,
     .start = START_READER,
     .cache = CACHE_COLD,
     .published = WORLD_SECOND,
     .over_store = true},
};
const size_t scenario_count = sizeof scenarios / sizeof scenarios[0];
