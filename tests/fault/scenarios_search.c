#include "fault/scenarios_read.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void search_with(struct session *session, const shf_query *query) {
    shf_call call = session_call(session);
    shf_op_id id = 0;
    shf_status submitted = shf_search(session->reader, query, &call, &id);
    shf_op *op = session_wait(session, submitted, id);
    if (op) (void)session_hits_are_right(session, op, 1);
    shf_op_release(op);
}

void search(struct session *session) {
    shf_query query = world_query(0);
    search_with(session, &query);
}

void search_shards(struct session *session) {
    static const uint32_t shards[] = {1, 0};
    shf_query query = world_query(0);
    query.shard_ids = shards;
    query.shard_count = 2;
    search_with(session, &query);
}

/* Each opens a shard and closes another, where one may be open. */
void search_in_turn(struct session *session) {
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

void route_vector(struct session *session) {
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
void search_like_dot(struct session *session) {
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
void search_like(struct session *session) {
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
void search_like_place(struct session *session) {
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

void batch_search(struct session *session) {
    shf_query queries[WORLD_QUERIES];
    shf_call call = session_call(session);
    shf_op_id id = 0;
    for (size_t i = 0; i < WORLD_QUERIES; i++) queries[i] = world_query(i);
    shf_status submitted = shf_batch_search(session->reader, queries, WORLD_QUERIES, &call, &id);
    shf_op *op = session_wait(session, submitted, id);
    if (op) (void)session_hits_are_right(session, op, WORLD_QUERIES);
    shf_op_release(op);
}
