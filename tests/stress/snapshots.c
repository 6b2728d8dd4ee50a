#include "stress/snapshots.h"

#include "stress/snapshot_files.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* ---- contents ---- */

unsigned stress_version_of(unsigned snapshot, unsigned shard) { return shard == 0 ? snapshot / 2 * 2 : snapshot; }

/* The snapshots that have this version of a shard. */
static uint32_t snapshots_of(const struct stress_prefix *prefix, unsigned shard, unsigned version) {
    uint32_t set = 0;
    for (unsigned m = 0; m < prefix->shape.snapshots; m++) {
        if (stress_version_of(m, shard) == version) set |= UINT32_C(1) << m;
    }
    return set;
}

bool stress_key_is_there(unsigned version, unsigned key) { return (key * 5 + version) % 11 != 0; }

size_t stress_value_make(const struct stress_shape *shape, unsigned version, unsigned key, char *out) {
    char head[48];
    size_t size = (size_t)snprintf(head, sizeof head, "version %u key %u ", version, key);
    uint64_t number = stress_mix(7, version, key);
    size_t filler = number % 160;
    if (key % 16 == 0 && shape->large_value_bytes) filler = 2000 + number % shape->large_value_bytes;
    if (!out) return size + filler;
    memcpy(out, head, size);
    for (size_t i = 0; i < filler; i++) out[size + i] = (char)(version * 37 + key * 11 + i * 7);
    return size + filler;
}

float stress_vector_element(unsigned version, unsigned vector, unsigned element) {
    uint64_t number = stress_mix((uint64_t)version << 32 | 3, vector, element);
    return (float)((double)(number >> 40) / (double)(1u << 23) - 1);
}

size_t stress_payload_make(unsigned version, unsigned vector, char out[64]) {
    if (vector % 5 == 0) return 0;
    return (size_t)snprintf(out, 64, "{\"version\": %u, \"vector\": %u}", version, vector);
}

/* ---- what searches must answer ---- */

static double distance(const float *query, unsigned dimension, unsigned version, unsigned vector) {
    double sum = 0;
    for (unsigned e = 0; e < dimension; e++) {
        double difference = (double)query[e] - (double)stress_vector_element(version, vector, e);
        sum += difference * difference;
    }
    return sqrt(sum);
}

static int by_score(const void *a, const void *b) {
    const struct stress_hit *left = a, *right = b;
    return left->score < right->score ? -1 : left->score > right->score;
}

static void work_out_hits(struct stress_prefix *prefix, unsigned snapshot, unsigned query) {
    const struct stress_shape *shape = &prefix->shape;
    struct stress_hit *all = calloc(shape->vectors, sizeof *all);
    for (unsigned vector = 0; vector < shape->vectors; vector++) {
        unsigned version = stress_version_of(snapshot, vector % STRESS_SHARDS);
        all[vector].vector = vector;
        all[vector].score =
            distance(prefix->query_vectors + (size_t)query * shape->dimension, shape->dimension, version, vector);
    }
    qsort(all, shape->vectors, sizeof *all, by_score);
    memcpy(prefix->hits + ((size_t)snapshot * shape->queries + query) * shape->top_k, all, shape->top_k * sizeof *all);
    free(all);
}

/* ---- making ---- */

static void write_files(const struct stress_prefix *prefix) {
    for (unsigned m = 0; m < prefix->shape.snapshots; m++) {
        for (unsigned shard = 0; shard < STRESS_SHARDS; shard++) {
            if (stress_version_of(m, shard) == m) stress_write_shard(prefix, m, shard);
        }
        stress_write_manifest(prefix, m);
    }
}

void stress_prefix_know(struct stress_prefix *prefix, const char *directory, const struct stress_shape *shape) {
    *prefix = (struct stress_prefix){.shape = *shape};
    REQUIRE(shape->snapshots <= STRESS_MOST_SNAPSHOTS && shape->top_k <= shape->vectors);
    prefix->path = support_path("%s/prefix", directory);
    prefix->current_path = support_path("%s/_CURRENT", prefix->path);
    prefix->key_text = calloc(shape->keys, sizeof *prefix->key_text);
    prefix->shard_of = calloc(shape->keys, 1);
    prefix->query_vectors = calloc((size_t)shape->queries * shape->dimension, sizeof(float));
    prefix->hits = calloc((size_t)shape->snapshots * shape->queries * shape->top_k, sizeof *prefix->hits);
    for (unsigned key = 0; key < shape->keys; key++) {
        (void)snprintf(prefix->key_text[key], STRESS_KEY_BYTES, "key-%u", key);
        prefix->shard_of[key] =
            (uint8_t)(XXH3_64bits(prefix->key_text[key], strlen(prefix->key_text[key])) % STRESS_SHARDS);
    }
    for (unsigned i = 0; i < shape->queries * shape->dimension; i++) {
        prefix->query_vectors[i] = stress_vector_element(99, i, 0);
    }
    for (unsigned m = 0; m < shape->snapshots; m++) {
        prefix->ref[m] = stress_manifest_tail(m);
        for (unsigned query = 0; query < shape->queries; query++) work_out_hits(prefix, m, query);
    }
}

void stress_prefix_make(struct stress_prefix *prefix, const char *directory, const struct stress_shape *shape) {
    stress_prefix_know(prefix, directory, shape);
    write_files(prefix);
    stress_publish(prefix, 0);
}

void stress_prefix_free(struct stress_prefix *prefix) {
    for (unsigned m = 0; m < prefix->shape.snapshots; m++) free(prefix->ref[m]);
    free(prefix->path);
    free(prefix->current_path);
    free(prefix->key_text);
    free(prefix->shard_of);
    free(prefix->query_vectors);
    free(prefix->hits);
}

void stress_publish(const struct stress_prefix *prefix, unsigned snapshot) {
    static pthread_mutex_t one_writer = PTHREAD_MUTEX_INITIALIZER;
    char run[33];
    stress_run_id(snapshot, run);
    char *text = support_path("{\"format_version\":1,\"manifest_content_type\":\"application/x-sqlite3\","
                              "\"manifest_ref\":\"s3://stress/written-elsewhere/%s\",\"run_id\":\"%s\","
                              "\"updated_at\":\"2026-11-22T07:32:31.000000Z\"}",
                              prefix->ref[snapshot], run);
    REQUIRE(pthread_mutex_lock(&one_writer) == 0); /* of the temporary that becomes _CURRENT */
    support_write_file(prefix->current_path, text, strlen(text));
    REQUIRE(pthread_mutex_unlock(&one_writer) == 0);
    free(text);
}

/* ---- questions ---- */

shf_key stress_key(const struct stress_prefix *prefix, unsigned key) {
    return shf_key_from_text(prefix->key_text[key], strlen(prefix->key_text[key]));
}

shf_query stress_query(const struct stress_prefix *prefix, unsigned query, uint32_t top_k) {
    shf_query out;
    SHF_INIT(&out);
    out.vector = prefix->query_vectors + (size_t)query * prefix->shape.dimension;
    out.dimension = prefix->shape.dimension;
    out.top_k = top_k;
    return out;
}

shf_reader_options stress_options(const struct stress_prefix *prefix, const char *cache) {
    shf_reader_options options;
    SHF_INIT(&options);
    options.url = prefix->path;
    options.local_root = cache;
    return options;
}

/* ---- checks ---- */

static uint32_t check_present(const struct stress_prefix *prefix, unsigned key, const char *data, size_t size) {
    unsigned version = 0, named = 0;
    char head[48] = {0};
    memcpy(head, data, size < sizeof head - 1 ? size : sizeof head - 1);
    if (sscanf(head, "version %u key %u ", &version, &named) != 2 || named != key) return 0;
    if (version >= prefix->shape.snapshots || !stress_key_is_there(version, key)) return 0;
    if (size != stress_value_make(&prefix->shape, version, key, NULL)) return 0;
    char *expected = malloc(size + 1);
    (void)stress_value_make(&prefix->shape, version, key, expected);
    bool same = memcmp(expected, data, size) == 0;
    free(expected);
    return same ? snapshots_of(prefix, prefix->shard_of[key], version) : 0;
}

static uint32_t check_absent(const struct stress_prefix *prefix, unsigned key) {
    uint32_t set = 0;
    for (unsigned m = 0; m < prefix->shape.snapshots; m++) {
        if (!stress_key_is_there(stress_version_of(m, prefix->shard_of[key]), key)) set |= UINT32_C(1) << m;
    }
    return set;
}

uint32_t stress_check_value(const struct stress_prefix *prefix, unsigned key, const shf_value *value) {
    if (value->status == SHF_NOT_FOUND) return check_absent(prefix, key);
    if (value->status != SHF_OK) return 0;
    return check_present(prefix, key, value->data.data, value->data.size);
}

uint32_t stress_check_lookup(const struct stress_prefix *prefix, const shf_op *op, const unsigned *keys, size_t count) {
    uint32_t set = stress_all_snapshots(prefix);
    if (shf_op_value_count(op) != count) return 0;
    for (size_t i = 0; i < count && set; i++) {
        shf_value value;
        SHF_INIT(&value);
        REQUIRE_STATUS(shf_op_value(op, i, &value), SHF_OK);
        set &= stress_check_value(prefix, keys[i], &value);
    }
    return set;
}

/* Origin of one hit: id, shard, payload. */
static uint32_t check_hit(const struct stress_prefix *prefix, const shf_hit *hit, unsigned *vector) {
    unsigned version = 0;
    char id[64], payload[64] = {0};
    if (hit->id.kind != SHF_ID_TEXT || hit->id.text.size >= sizeof id) return 0;
    memcpy(id, hit->id.text.data, hit->id.text.size);
    id[hit->id.text.size] = '\0';
    if (sscanf(id, "s%u-v%u", &version, vector) != 2 || *vector >= prefix->shape.vectors) return 0;
    if (hit->shard != *vector % STRESS_SHARDS) return 0;
    size_t size = stress_payload_make(version, *vector, payload);
    if (hit->payload.size != size || (hit->payload.data != NULL) != (size > 0)) return 0;
    if (size && memcmp(hit->payload.data, payload, size) != 0) return 0;
    return snapshots_of(prefix, hit->shard, version);
}

/* The snapshots among `set` whose hit of this rank it is. */
static uint32_t check_rank(const struct stress_prefix *prefix, uint32_t set, unsigned query, size_t rank,
                           unsigned vector, double score) {
    const struct stress_shape *shape = &prefix->shape;
    for (unsigned m = 0; m < shape->snapshots; m++) {
        const struct stress_hit *hit = prefix->hits + ((size_t)m * shape->queries + query) * shape->top_k + rank;
        if (hit->vector != vector || fabs(hit->score - score) > 1e-9 * (1 + score)) set &= ~(UINT32_C(1) << m);
    }
    return set;
}

uint32_t stress_check_hits(const struct stress_prefix *prefix, const shf_op *op, size_t index, unsigned query,
                           uint32_t top_k) {
    uint32_t set = stress_all_snapshots(prefix);
    size_t wanted = top_k < prefix->shape.vectors ? top_k : prefix->shape.vectors;
    double before = 0;
    if (shf_op_hit_count(op, index) != wanted) return 0;
    for (size_t rank = 0; rank < wanted && set; rank++) {
        shf_hit hit;
        unsigned vector = 0;
        SHF_INIT(&hit);
        REQUIRE_STATUS(shf_op_hit(op, index, rank, &hit), SHF_OK);
        set &= check_hit(prefix, &hit, &vector);
        if (hit.score < before) return 0;
        before = hit.score;
        if (rank < prefix->shape.top_k) set = check_rank(prefix, set, query, rank, vector, hit.score);
    }
    return set;
}

void stress_require_serves(const struct stress_prefix *prefix, shf_reader *reader, uint32_t snapshots) {
    const struct stress_shape *shape = &prefix->shape;
    shf_op *op = NULL;
    shf_key *keys = calloc(shape->keys, sizeof *keys);
    unsigned *numbers = calloc(shape->keys, sizeof *numbers);
    shf_query *queries = calloc(shape->queries, sizeof *queries);
    for (unsigned i = 0; i < shape->keys; i++) {
        keys[i] = stress_key(prefix, i);
        numbers[i] = i;
    }
    (void)shf_multi_get_sync(reader, keys, shape->keys, NULL, 0, &op);
    REQUIRE_SUCCESS(op);
    REQUIRE(stress_check_lookup(prefix, op, numbers, shape->keys) & snapshots);
    shf_op_release(op);
    for (unsigned i = 0; i < shape->queries; i++) queries[i] = stress_query(prefix, i, shape->top_k);
    (void)shf_batch_search_sync(reader, queries, shape->queries, 0, &op);
    REQUIRE_SUCCESS(op);
    for (unsigned i = 0; i < shape->queries; i++) {
        REQUIRE(stress_check_hits(prefix, op, i, i, shape->top_k) & snapshots);
    }
    shf_op_release(op);
    free(keys);
    free(numbers);
    free(queries);
}
