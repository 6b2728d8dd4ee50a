/* Finding centroids, and what may come between: cancellation, deadlines, closing, a run that is gone on with, too little memory. */
#include "integration/writer_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB (1u << 20)
#define ROUNDS_WITHOUT_END 1000000u

/* Many shards over vectors without any order take k-means a good while. */
static struct writer_rows *hard_rows(void) {
    const struct writer_shape shape = {.rows = 12000, .dimension = 48, .id_kind = SHF_ID_INT, .is_vector_only = true};
    return writer_rows_new(&shape);
}

static shf_writer_options hard_options(const char *run_id) {
    shf_writer_options options = writer_options(writer_prefix, SHF_WRITE_VECTOR, 300);
    options.vector_sharding = "cluster";
    options.metric = "l2";
    options.training_rounds = ROUNDS_WITHOUT_END;
    options.run_id = run_id;
    options.seed = 3;
    return options;
}

static shf_writer *open_writer(const shf_writer_options *options) {
    shf_status status;
    shf_writer *writer = writer_open(options, &status);
    if (!writer) fail_msg("%s", support_message);
    return writer;
}

static uint32_t phase_of(const shf_writer *writer) {
    shf_writer_progress progress;
    SHF_INIT(&progress);
    assert_int_equal(shf_writer_progress_get(writer, &progress), SHF_OK);
    return progress.phase;
}

/* Begins a publish, and comes back when it looks for centroids. */
static shf_op_id publish_until_it_trains(shf_writer *writer) {
    shf_call call = support_call();
    shf_op_id id = 0;
    assert_int_equal(shf_publish(writer, &call, &id), SHF_OK);
    while (phase_of(writer) == SHF_PHASE_WRITE) (void)sched_yield();
    assert_int_equal(phase_of(writer), SHF_PHASE_TRAIN);
    return id;
}

static void assert_ends(shf_op_id id, shf_status wanted) {
    shf_op *op = support_wait(SHF_OK, id);
    if (shf_op_status(op) != wanted) fail_msg("%d: %s", shf_op_status(op), shf_error_message(shf_op_error(op)));
    shf_op_release(op);
}

static void assert_nothing_is_there(void) {
    assert_int_equal(writer_count_files(writer_prefix, "_CURRENT"), 0);
    assert_int_equal(writer_count_files(writer_prefix, "shard.db"), 0);
    assert_int_equal(writer_count_files(writer_prefix, "centroids.npy"), 0);
    writer_assert_tidy(writer_root);
}

static void test_cancelled(void **state) {
    (void)state;
    struct writer_rows *rows = hard_rows();
    shf_writer_options options = hard_options("run");
    shf_writer *writer = open_writer(&options);
    writer_write(writer, rows->rows, rows->shape.rows, 1000);
    shf_op_id id = publish_until_it_trains(writer);
    assert_int_equal(shf_cancel(support_runtime, id), SHF_OK);
    assert_ends(id, SHF_E_CANCELLED);
    assert_int_equal(phase_of(writer), SHF_PHASE_FAILED);
    writer_close(writer);
    assert_nothing_is_there();
    /* Nothing speaks against going on with it. */
    options.flags = SHF_WRITE_RESUME;
    options.training_rounds = 1;
    options.num_dbs = 5;
    writer_make(&options, rows, 1000);
    assert_int_equal(writer_count_files(writer_prefix, "centroids.npy"), 1);
    assert_int_equal(writer_count_files(writer_prefix, "_CURRENT"), 1);
    writer_rows_free(rows);
}

static void test_out_of_time(void **state) {
    (void)state;
    struct writer_rows *rows = hard_rows();
    shf_writer_options options = hard_options(NULL);
    shf_op *op = NULL;
    for (int64_t timeout_ms = 1; timeout_ms < 100; timeout_ms += 33) {
        shf_writer *writer = open_writer(&options);
        writer_write(writer, rows->rows, rows->shape.rows, 1000);
        assert_int_equal(shf_publish_sync(writer, timeout_ms, &op), SHF_E_DEADLINE);
        assert_non_null(shf_op_error(op));
        shf_op_release(op);
        writer_close(writer);
        assert_nothing_is_there();
    }
    writer_rows_free(rows);
}

static void test_closed(void **state) {
    (void)state;
    struct writer_rows *rows = hard_rows();
    shf_writer_options options = hard_options(NULL);
    for (unsigned round = 0; round < 2; round++) {
        shf_writer *writer = open_writer(&options);
        writer_write(writer, rows->rows, rows->shape.rows, 1000);
        shf_op_id id = publish_until_it_trains(writer);
        if (round) {
            writer_close(writer);
        } else {
            shf_writer_release(writer);
        }
        assert_ends(id, SHF_E_CANCELLED);
    }
    /* Before it is published: the sample goes with the rows. */
    shf_writer *writer = open_writer(&options);
    writer_write(writer, rows->rows, rows->shape.rows, 1000);
    writer_close(writer);
    assert_nothing_is_there();
    writer_rows_free(rows);
}

/* ---- memory ---- */

static _Atomic unsigned warnings;
static char last_warning[512];
static void keep_warning(void *context, int level, const char *message) {
    (void)context;
    if (level != SHF_LOG_WARNING || !strstr(message, "centroids")) return;
    (void)snprintf(last_warning, sizeof last_warning, "%s", message);
    atomic_fetch_add(&warnings, 1);
}

/* Rows beyond memory, a budget of so many bytes; how the publish, or a write, ends. */
static shf_status run_within(uint64_t budget, uint64_t memory_bytes, const struct writer_rows *rows, uint32_t num_dbs,
                             shf_publish_info *info) {
    shf_runtime_options limits;
    shf_runtime *runtime = NULL;
    shf_op *op = NULL;
    shf_writer *writer = NULL;
    SHF_INIT(&limits);
    limits.memory_budget_bytes = budget;
    limits.worker_threads = 2;
    limits.log = keep_warning;
    assert_int_equal(shf_runtime_new(&limits, &runtime), SHF_OK);
    shf_writer_options options = hard_options(NULL);
    options.num_dbs = num_dbs;
    options.training_rounds = 5;
    options.memory_bytes = memory_bytes;
    assert_int_equal(shf_writer_open_sync(runtime, &options, 0, &op), SHF_OK);
    assert_int_equal(shf_op_take_writer(op, &writer), SHF_OK);
    shf_status status = SHF_OK;
    for (size_t at = 0; !status && at < rows->shape.rows; at += 500) {
        shf_op_release(op);
        status = shf_write_sync(writer, rows->rows + at, 500, 0, &op);
    }
    if (!status) {
        shf_op_release(op);
        status = shf_publish_sync(writer, 0, &op);
    }
    if (status) (void)snprintf(support_message, sizeof support_message, "%s", shf_error_message(shf_op_error(op)));
    SHF_INIT(info);
    if (!status) assert_int_equal(shf_op_publish_info(op, info), SHF_OK);
    shf_op_release(op);
    writer_close(writer);
    shf_runtime_stats stats;
    SHF_INIT(&stats);
    assert_int_equal(shf_runtime_stats_get(runtime, &stats), SHF_OK);
    assert_int_equal(stats.budget_used_bytes, 0);
    assert_int_equal(shf_runtime_free(runtime), SHF_OK);
    return status;
}

static void test_a_sample_that_is_cut(void **state) {
    (void)state;
    shf_publish_info info;
    const struct writer_shape shape = {.rows = 12000, .dimension = 100, .id_kind = SHF_ID_INT, .is_vector_only = true};
    struct writer_rows *rows = writer_rows_new(&shape);
    warnings = 0;
    assert_int_equal(run_within(64 * MIB, 4 * MIB, rows, 3, &info), SHF_OK);
    assert_int_equal(info.training_rows, MIB / (100 * sizeof(float) + 16));
    assert_true(info.spilled_bytes > 0);
    assert_int_equal(warnings, 1);
    if (!strstr(last_warning, "are found among 2520 rows, not 12000")) fail_msg("%s", last_warning);
    assert_int_equal(run_within(64 * MIB, 40 * MIB, rows, 3, &info), SHF_OK);
    assert_int_equal(info.training_rows, 12000);
    assert_int_equal(info.spilled_bytes, 0);
    assert_int_equal(warnings, 1);
    writer_rows_free(rows);
}

/* Every budget: it works, or says clearly that it does not. */
static void test_budgets(void **state) {
    (void)state;
    struct writer_rows *rows = hard_rows();
    unsigned works = 0, fails = 0;
    for (uint64_t budget = 2 * MIB; budget <= 26 * MIB; budget += 2 * MIB) {
        shf_publish_info info;
        shf_status status = run_within(budget, 4 * MIB, rows, 6, &info);
        works += !status;
        fails += status != SHF_OK;
        if (status && (status != SHF_E_NO_MEMORY || !strstr(support_message, "budget"))) {
            fail_msg("%d: %s", status, support_message);
        }
    }
    print_message("%u budgets are enough, %u are not\n", works, fails);
    assert_true(works > 0 && fails > 0);
    writer_rows_free(rows);
}

/* ---- other ways ---- */

static void test_dry_run(void **state) {
    (void)state;
    shf_status status;
    shf_publish_info info;
    struct writer_rows *rows = hard_rows();
    shf_writer_options options = hard_options(NULL);
    options.flags = SHF_WRITE_DRY_RUN;
    options.training_rounds = 2;
    options.local_root = writer_root;
    shf_writer *writer = open_writer(&options);
    writer_write(writer, rows->rows, rows->shape.rows, 1000);
    shf_op *op = writer_publish(writer, &status);
    if (!op) fail_msg("%s", support_message);
    SHF_INIT(&info);
    assert_int_equal(shf_op_publish_info(op, &info), SHF_OK);
    assert_int_equal(info.rows, 12000);
    assert_int_equal(info.training_rows, 12000);
    assert_int_equal(info.training_rounds, 2);
    assert_null(info.manifest_ref);
    shf_op_release(op);
    writer_close(writer);
    assert_nothing_is_there();
    writer_rows_free(rows);
}

/* Writes that wait for memory while others are in flight: all rows are seen, all are there. */
static void test_writes_in_flight(void **state) {
    (void)state;
    enum { WRITES = 24 };
    const struct writer_shape shape = {
        .rows = WRITES * 500, .dimension = 120, .id_kind = SHF_ID_TEXT, .is_vector_only = true};
    struct writer_rows *rows = writer_rows_new(&shape);
    shf_writer_options options = hard_options(NULL);
    options.num_dbs = 5;
    options.training_rounds = 3;
    options.training_rows = 900;
    options.memory_bytes = 4 * MIB;
    shf_writer *writer = open_writer(&options);
    shf_call call = support_call();
    shf_op_id ids[WRITES];
    for (unsigned i = 0; i < WRITES; i++) {
        assert_int_equal(shf_write(writer, rows->rows + (size_t)i * 500, 500, &call, &ids[i]), SHF_OK);
    }
    for (unsigned i = 0; i < WRITES; i++) assert_ends(ids[i], SHF_OK);
    shf_status status;
    shf_op *op = writer_publish(writer, &status);
    if (!op) fail_msg("%s", support_message);
    shf_reader *reader = support_open(writer_prefix, writer_cache, 0, &status);
    if (!reader) fail_msg("%s", support_message);
    writer_assert_told(op, reader, rows);
    writer_assert_searches(reader, rows, true, 4);
    support_close(reader);
    shf_op_release(op);
    writer_close(writer);
    writer_rows_free(rows);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, writer_begin, writer_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_cancelled), TEST(test_out_of_time), TEST(test_closed),           TEST(test_a_sample_that_is_cut),
        TEST(test_budgets),   TEST(test_dry_run),     TEST(test_writes_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
