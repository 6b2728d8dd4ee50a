/* Queries against the exact answers: distances, ids, payloads, numbers of shards. */
#include "conformance/conformance.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct recorded {
    shf_query query;
    unsigned char *vector;
    uint32_t shard_ids[256];
    struct conformance_context context;
    shf_status status;
};

static void read_query(const json_t *json, struct recorded *out) {
    size_t size, i;
    const json_t *ids = json_object_get(json, "shard_ids"), *id;
    memset(out, 0, sizeof *out);
    SHF_INIT(&out->query);
    out->vector = conformance_base64(json_string_value(json_object_get(json, "query")), &size);
    out->query.vector = (const float *)(const void *)out->vector;
    out->query.dimension = (uint32_t)(size / sizeof(float));
    out->query.top_k = (uint32_t)json_integer_value(json_object_get(json, "top_k"));
    out->query.num_probes = (uint32_t)json_integer_value(json_object_get(json, "num_probes"));
    if (conformance_read_context(json_object_get(json, "routing_context"), &out->context)) {
        out->query.context = &out->context.context;
        out->status = conformance_route_status(json);
    }
    if (!json_is_array(ids)) return;
    json_array_foreach(ids, i, id) out->shard_ids[i] = (uint32_t)json_integer_value(id);
    out->query.shard_ids = out->shard_ids;
    out->query.shard_count = (uint32_t)json_array_size(ids);
}

static bool close_enough(double a, double b) { return fabs(a - b) <= 1e-6 + 1e-5 * fabs(b); }

static bool same_id(const shf_vector_id *id, const json_t *recorded) {
    if (id->kind == SHF_ID_INT) return json_is_integer(recorded) && json_integer_value(recorded) == id->int_value;
    return json_is_string(recorded) && json_string_length(recorded) == id->text.size &&
           memcmp(json_string_value(recorded), id->text.data, id->text.size) == 0;
}

static const json_t *find_hit(const json_t *hits, const shf_vector_id *id) {
    size_t i;
    const json_t *hit;
    json_array_foreach(hits, i, hit) {
        if (same_id(id, json_object_get(hit, "id"))) return hit;
    }
    return NULL;
}

/* Whether this rank's distance stands apart from its neighbours', so that the id is determined. */
static bool is_distinct(const json_t *exact, size_t rank) {
    double here = json_number_value(json_object_get(json_array_get(exact, rank), "score"));
    for (size_t other = rank ? rank - 1 : 0; other <= rank + 1 && other < json_array_size(exact); other++) {
        const json_t *score = json_object_get(json_array_get(exact, other), "score");
        if (other != rank &&
            (!json_is_number(score) || fabs(json_number_value(score) - here) < 2e-6 + 2e-5 * fabs(here))) {
            return false;
        }
    }
    return rank + 1 < json_array_size(exact); /* the last one may tie with what was cut off */
}

static bool same_payload(const shf_hit *hit, const json_t *recorded) {
    const json_t *payload = json_object_get(recorded, "payload");
    if (!recorded) return true;
    if (!payload || json_is_null(payload)) return hit->payload.data == NULL;
    json_t *ours = hit->payload.data ? json_loadb(hit->payload.data, hit->payload.size, JSON_ALLOW_NUL, NULL) : NULL;
    bool same = ours && json_equal(ours, payload);
    json_decref(ours);
    return same;
}

static bool check_hit(const shf_op *op, size_t query, size_t rank, const json_t *json, const shf_hit *before) {
    const json_t *exact = json_object_get(json, "exact"), *wanted = json_array_get(exact, rank);
    const json_t *score = json_object_get(wanted, "score");
    shf_hit hit;
    SHF_INIT(&hit);
    if (shf_op_hit(op, query, rank, &hit)) return conformance_fail("rank %zu can not be read", rank);
    if (json_is_string(score))
        return isnan(hit.score) || conformance_fail("rank %zu: %g, undefined wanted", rank, hit.score);
    if (!close_enough(hit.score, json_number_value(score))) {
        return conformance_fail("rank %zu: distance %.17g, exact %.17g", rank, hit.score, json_number_value(score));
    }
    if (is_distinct(exact, rank) && !same_id(&hit.id, json_object_get(wanted, "id"))) {
        return conformance_fail("rank %zu: another id at distance %.17g", rank, hit.score);
    }
    if (before && (hit.score < before->score || (hit.score == before->score && hit.shard < before->shard))) {
        return conformance_fail("rank %zu: out of order", rank);
    }
    const json_t *entry = find_hit(exact, &hit.id);
    if (entry && json_integer_value(json_object_get(entry, "shard")) != hit.shard) {
        return conformance_fail("rank %zu: shard %u", rank, hit.shard);
    }
    return same_payload(&hit, find_hit(json_object_get(json, "hits"), &hit.id)) ||
           conformance_fail("rank %zu: another payload", rank);
}

static bool check_answer(const shf_op *op, size_t query, const json_t *json) {
    const json_t *exact = json_object_get(json, "exact"), *shards = json_object_get(json, "num_shards_queried");
    shf_search_info info;
    shf_hit hit, before;
    SHF_INIT(&info);
    SHF_INIT(&before);
    if (shf_op_hit_count(op, query) != json_array_size(exact)) {
        return conformance_fail("%zu hits, %zu exact ones", shf_op_hit_count(op, query), json_array_size(exact));
    }
    if (shf_op_search_info(op, query, &info)) return conformance_fail("no search info");
    if (json_is_integer(shards) && info.num_shards_queried != json_integer_value(shards)) {
        return conformance_fail("%u shards queried, %d recorded", info.num_shards_queried,
                                (int)json_integer_value(shards));
    }
    for (size_t rank = 0; rank < json_array_size(exact); rank++) {
        if (!check_hit(op, query, rank, json, rank ? &before : NULL)) return false;
        SHF_INIT(&hit);
        (void)shf_op_hit(op, query, rank, &hit);
        before = hit;
    }
    return true;
}

/* The shards that the routing of a vector-only snapshot chose, in their order. */
static bool check_route(shf_reader *reader, const struct recorded *query, const json_t *json) {
    const json_t *wanted = json_object_get(json, "routed_shards"), *shard;
    shf_snapshot *snapshot = NULL;
    uint32_t shards[256], count = 0;
    size_t i;
    if (!json_is_array(wanted) || json_object_get(json, "error")) return true;
    bool ok = shf_reader_snapshot(reader, &snapshot) == SHF_OK &&
              shf_snapshot_route_vector(snapshot, query->query.vector, query->query.dimension, query->query.context,
                                        query->query.num_probes, shards, 256, &count, NULL) == SHF_OK;
    shf_snapshot_release(snapshot);
    if (!ok) return conformance_fail("the vector is not routed");
    if (count != json_array_size(wanted)) {
        return conformance_fail("routed to %u shards, %zu recorded", count, json_array_size(wanted));
    }
    json_array_foreach(wanted, i, shard) {
        if (shards[i] == json_integer_value(shard)) continue;
        return conformance_fail("shard %zu of the route is %u, %d recorded", i, shards[i],
                                (int)json_integer_value(shard));
    }
    return true;
}

/* The peer's own checks; what else it fails with is a shortcoming of it. */
static bool must_be_refused(const json_t *json) {
    const char *class = json_string_value(json_object_get(json_object_get(json, "error"), "class"));
    return class && strcmp(class, "ConfigValidationError") == 0;
}

/* A zero query under cosine has no defined distance: refusing it is right. */
static bool may_be_refused(const json_t *json) {
    const json_t *exact = json_object_get(json, "exact");
    return json_array_size(exact) && json_is_string(json_object_get(json_array_get(exact, 0), "score"));
}

static bool check_single(struct conformance *c, shf_reader *reader, const struct recorded *query, const json_t *json) {
    shf_call call;
    shf_op_id id;
    SHF_INIT(&call);
    call.cq = c->cq;
    shf_op *op = conformance_wait(c, shf_search(reader, &query->query, &call, &id), &id);
    if (!op) return false;
    bool ok;
    shf_status refused = must_be_refused(json) ? SHF_E_INVALID : query->status;
    if (refused) {
        ok = shf_op_status(op) == refused || conformance_fail("answered, the peer refuses it");
    } else if (shf_op_status(op)) {
        ok = (may_be_refused(json) && shf_op_status(op) == SHF_E_INVALID) ||
             conformance_fail("%s", shf_error_message(shf_op_error(op)));
    } else {
        ok = check_answer(op, 0, json);
    }
    shf_op_release(op);
    return ok && check_route(reader, query, json);
}

static bool check_batch(struct conformance *c, shf_reader *reader, const struct recorded *queries, const json_t *rows) {
    size_t count = json_array_size(rows), used = 0;
    shf_query *batch = calloc(count, sizeof *batch);
    size_t *line = calloc(count, sizeof *line);
    shf_call call;
    shf_op_id id;
    bool ok = true;
    SHF_INIT(&call);
    call.cq = c->cq;
    for (size_t i = 0; i < count; i++) {
        const json_t *row = json_array_get(rows, i);
        if (queries[i].status || may_be_refused(row) || must_be_refused(row)) continue;
        line[used] = i;
        batch[used++] = queries[i].query;
    }
    shf_op *op = used ? conformance_wait(c, shf_batch_search(reader, batch, used, &call, &id), &id) : NULL;
    if (used && !op) ok = false;
    if (op && shf_op_status(op)) ok = conformance_fail("batch: %s", shf_error_message(shf_op_error(op)));
    for (size_t i = 0; ok && i < used; i++) {
        ok = check_answer(op, i, json_array_get(rows, line[i]));
    }
    shf_op_release(op);
    free(batch);
    free(line);
    return ok;
}

bool conformance_check_queries(struct conformance *c, shf_reader *reader, const json_t *rows) {
    size_t count = json_array_size(rows);
    struct recorded *queries = calloc(count + 1, sizeof *queries);
    bool ok = true;
    for (size_t i = 0; i < count; i++) {
        read_query(json_array_get(rows, i), &queries[i]);
        if (!ok) continue;
        ok = check_single(c, reader, &queries[i], json_array_get(rows, i));
        if (!ok) {
            char why[768];
            (void)snprintf(why, sizeof why, "%s", conformance_problem());
            (void)conformance_fail("query of line %zu: %s", i + 1, why);
        }
    }
    ok = ok && (count == 0 || check_batch(c, reader, queries, rows));
    for (size_t i = 0; i < count; i++) free(queries[i].vector);
    free(queries);
    return ok;
}
