#include "fault/scenarios_write.h"

#include "fault/plan.h"
#include "fault/stand_in.h"
#include "integration/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FEW 40u
#define MANY 3000u
#define LONG_VALUE 2000u
#define DIMENSION 4u
#define STORE_URL "s3://world/written"

static bool is_published; /* as the run was told */
static unsigned written;

static void make_value(char *value, size_t size, unsigned number) {
    memset(value, 'a' + (int)(number % 26), size);
    (void)snprintf(value, size, "value of %u", number);
}

/* One a run: what the last run left may still be on its way out. */
static unsigned run_number;
static char *file_prefix(void) { return support_path("%s/written-%u", world_root, run_number); }

static const char *by_expression; /* of the next writer; NULL = by hash */
static const char *vectors_alone; /* how they are sharded; NULL = the rows have keys */
static float *vectors;            /* of such rows; they are let go when all is checked */

static const float *make_vectors(unsigned first, unsigned count) {
    free(vectors);
    vectors = calloc((size_t)count * DIMENSION, sizeof *vectors);
    for (unsigned i = 0; i < count * DIMENSION; i++) vectors[i] = (float)((first * DIMENSION + i) * 7919 % 1013) - 500;
    return vectors;
}

static void ask_for_vectors(shf_writer_options *options) {
    options->backend = SHF_WRITE_VECTOR;
    options->vector_sharding = vectors_alone;
    options->metric = "l2";
    options->seed = 4;
}

static shf_writer *open_writer(struct session *session, bool is_unified, uint32_t flags) {
    shf_writer_options options;
    shf_op *op = NULL;
    shf_writer *writer = NULL;
    run_number++;
    char *prefix = file_prefix(), *local = support_path("%s/written-here", world_root);
    SHF_INIT(&options);
    options.url = session->scenario->over_store ? STORE_URL : prefix;
    options.local_root = session->scenario->over_store ? local : NULL;
    options.backend = is_unified ? SHF_WRITE_UNIFIED : SHF_WRITE_KV;
    options.num_dbs = by_expression ? 0 : 3;
    options.cel_expr = by_expression;
    options.cel_columns = by_expression ? "{\"key\": \"int\"}" : NULL;
    options.infer_routing_values = by_expression != NULL;
    if (vectors_alone) ask_for_vectors(&options);
    options.run_id = "written";
    options.custom = "{\"a\": 1}";
    options.memory_bytes = 4u << 20;
    options.shard_attempts = 1;
    options.flags = flags;
    is_published = false;
    shf_status status = shf_writer_open_sync(session->runtime, &options, session_timeout_ms, &op);
    if (session_ended(session, status, op) && shf_op_take_writer(op, &writer))
        (void)session_wrong(session, "no writer");
    shf_op_release(op);
    free(prefix);
    free(local);
    return writer;
}

static bool write_some(struct session *session, shf_writer *writer, unsigned first, unsigned count, size_t size,
                       bool is_unified) {
    static const float vector[DIMENSION] = {1, 2, 3, 4};
    shf_row *rows = calloc(count, sizeof *rows);
    char *values = malloc((size_t)count * size);
    shf_op *op = NULL;
    for (unsigned i = 0; i < count; i++) {
        char *value = values + (size_t)i * size;
        SHF_INIT(&rows[i]);
        make_value(value, size, first + i);
        rows[i].key = shf_key_from_int(first + i);
        rows[i].value = (shf_slice){value, size};
        if (!is_unified) continue;
        rows[i].vector = vector;
        rows[i].dimension = DIMENSION;
        rows[i].id.kind = SHF_ID_INT; /* not the key: ids are sorted too */
        rows[i].id.int_value = 7 * (int64_t)(first + i) + 1;
        rows[i].payload = (shf_slice){"{\"p\": true}", 11};
    }
    shf_status status = shf_write_sync(writer, rows, count, session_timeout_ms, &op);
    bool ok = session_ended(session, status, op);
    shf_op_release(op);
    free(rows);
    free(values);
    return ok;
}

static void publish(struct session *session, shf_writer *writer, unsigned count) {
    shf_op *op = NULL;
    shf_publish_info info;
    SHF_INIT(&info);
    shf_status status = shf_publish_sync(writer, session_timeout_ms, &op);
    if (session_ended(session, status, op)) {
        is_published = true;
        written = count;
        if (shf_op_publish_info(op, &info) || info.rows != count)
            (void)session_wrong(session, "another number of rows");
    }
    shf_op_release(op);
}

/* A close that is refused leaves it to the release. */
static void close_writer(shf_writer *writer) {
    shf_op *op = NULL;
    (void)shf_writer_close_sync(writer, 0, &op);
    shf_op_release(op);
    shf_writer_release(writer);
}

void write_and_publish(struct session *session) {
    shf_writer *writer = open_writer(session, true, 0);
    if (!writer) return;
    if (write_some(session, writer, 0, FEW, 100, true)) publish(session, writer, FEW);
    close_writer(writer);
}

/* Values that are inferred: tokens are kept, and the expression is compiled again when it is read. */
void write_by_expression(struct session *session) {
    by_expression = "\"shard \" + string(key % 3)";
    shf_writer *writer = open_writer(session, false, SHF_WRITE_NO_SIDECAR);
    by_expression = NULL;
    if (!writer) return;
    if (write_some(session, writer, 0, FEW, 100, false)) publish(session, writer, FEW);
    close_writer(writer);
}

static void make_vector_row(shf_row *row, unsigned number, const float *vector) {
    SHF_INIT(row);
    row->id.kind = SHF_ID_INT;
    row->id.int_value = (int64_t)number - 20;
    row->vector = vector;
    row->dimension = DIMENSION;
    if (number % 3 == 0) row->payload = (shf_slice){"{\"p\": true}", 11};
}

static bool write_vectors(struct session *session, shf_writer *writer, unsigned count) {
    shf_row *rows = calloc(count, sizeof *rows);
    shf_op *op = NULL;
    const float *vector = make_vectors(0, count);
    for (unsigned i = 0; i < count; i++) make_vector_row(&rows[i], i, vector + (size_t)i * DIMENSION);
    shf_status status = shf_write_sync(writer, rows, count, session_timeout_ms, &op);
    bool ok = session_ended(session, status, op);
    shf_op_release(op);
    free(rows);
    return ok;
}

static void write_vectors_alone(struct session *session, const char *sharding) {
    vectors_alone = sharding;
    shf_writer *writer = open_writer(session, false, 0);
    if (!writer) return;
    if (write_vectors(session, writer, FEW)) publish(session, writer, FEW);
    close_writer(writer);
}

void write_and_train(struct session *session) { write_vectors_alone(session, "cluster"); }
void write_hashed_vectors(struct session *session) { write_vectors_alone(session, "lsh"); }

void write_more_than_fits(struct session *session) {
    shf_writer *writer = open_writer(session, false, SHF_WRITE_NO_SIDECAR);
    if (!writer) return;
    bool ok = true;
    for (unsigned i = 0; ok && i < MANY; i += MANY / 3) {
        ok = write_some(session, writer, i, MANY / 3, LONG_VALUE, false);
    }
    if (ok) publish(session, writer, MANY);
    close_writer(writer);
}

void write_and_give_up(struct session *session) {
    shf_writer *writer = open_writer(session, false, 0);
    if (!writer) return;
    (void)write_some(session, writer, 0, FEW, 100, false);
    close_writer(writer);
}

void write_duplicates(struct session *session) {
    shf_writer *writer = open_writer(session, false, 0);
    if (!writer) return;
    if (write_some(session, writer, 0, FEW, 100, false) && write_some(session, writer, FEW - 1, 1, 100, false)) {
        publish(session, writer, FEW);
    }
    close_writer(writer);
}

/* ---- afterwards ---- */

static shf_reader *open_written(struct session *session, shf_status *status) {
    shf_reader_options options;
    shf_op *op = NULL;
    shf_reader *reader = NULL;
    char *prefix = file_prefix();
    SHF_INIT(&options);
    options.url = session->scenario->over_store ? STORE_URL : prefix;
    options.local_root = session->cache;
    *status = shf_open_sync(session->runtime, &options, 0, &op);
    if (!*status) (void)shf_op_take_reader(op, &reader);
    if (*status && *status != SHF_E_STATE) {
        plan_fail("what was written does not open: %s", shf_error_message(shf_op_error(op)));
    }
    shf_op_release(op);
    free(prefix);
    return reader;
}

static void require_values(shf_reader *reader) {
    for (unsigned i = 0; i < written; i++) {
        shf_key key = shf_key_from_int(i);
        shf_op *op = NULL;
        shf_value value;
        char wanted[LONG_VALUE];
        size_t size = written == MANY ? LONG_VALUE : 100;
        SHF_INIT(&value);
        make_value(wanted, size, i);
        if (shf_get_sync(reader, &key, NULL, 0, &op) || shf_op_value(op, 0, &value) || value.status ||
            value.data.size != size || memcmp(value.data.data, wanted, size) != 0) {
            plan_fail("the value of row %u is not what was written", i);
        }
        shf_op_release(op);
    }
}

/* Each is found in the first shard that its vector leads to. */
static void require_vectors(shf_reader *reader) {
    for (unsigned i = 0; i < written; i++) {
        shf_query query;
        shf_hit hit;
        shf_op *op = NULL;
        SHF_INIT(&query);
        SHF_INIT(&hit);
        query.vector = vectors + (size_t)i * DIMENSION;
        query.dimension = DIMENSION;
        query.top_k = 1;
        if (shf_search_sync(reader, &query, 0, &op) || shf_op_hit(op, 0, 0, &hit) || hit.score != 0 ||
            hit.id.int_value != (int64_t)i - 20) {
            plan_fail("vector %u is not found where it belongs", i);
        }
        shf_op_release(op);
    }
}

void write_check(struct session *session) {
    shf_status status;
    char *prefix = file_prefix();
    bool is_known = !strstr(session->outcome.message, "is not known");
    shf_reader *reader = open_written(session, &status);
    if (is_published && !reader) plan_fail("what was published is not there");
    if (!is_published && reader && is_known) plan_fail("what was not published is there");
    if (reader) {
        shf_op *op = NULL;
        if (is_published && vectors_alone) require_vectors(reader);
        if (is_published && !vectors_alone) require_values(reader);
        (void)shf_close_sync(reader, SHF_CLOSE_DRAIN, 0, &op);
        shf_op_release(op);
        shf_reader_release(reader);
    }
    support_remove_tree(prefix);
    free(prefix);
    free(vectors);
    vectors = NULL;
    vectors_alone = NULL;
}
