/* Flags of `shardy build`, sizes, the number of shards, the line of progress. */
#include "cli_test.h"

#include "cli/build/build_columns.h"
#include "cli/build/build_progress.h"
#include "cli/build/build_run.h"
#include "cli/number.h"
#include "cli/options.h"

static char *parse(struct cli_options *options, ...) {
    char *argv[40] = {(char *)"shardy", (char *)"build"};
    int argc = 2;
    va_list words;
    va_start(words, options);
    for (char *word; (word = va_arg(words, char *)) != NULL;) argv[argc++] = word;
    va_end(words);
    return cli_options_parse(argc, argv, options);
}
#define PARSE(o, ...) parse(o, __VA_ARGS__, NULL)
#define WRONG(part, ...)                                                                                               \
    do {                                                                                                               \
        struct cli_options wrong_options_;                                                                             \
        assert_wrong(PARSE(&wrong_options_, __VA_ARGS__), part);                                                       \
        cli_options_free(&wrong_options_);                                                                             \
    } while (0)

static void every_flag(void **state) {
    struct cli_options o;
    (void)state;
    assert_right(PARSE(&o, "a.jsonl", "b.jsonl", "--output", "s3://b/p", "--vectors", "v.npy", "--backend", "unified",
                       "--kv-backend", "sqlite", "--num-dbs", "32768", "--key-encoding", "u32be", "--value-format",
                       "json", "--metric", "l2", "--page-size", "64KiB", "--no-sidecar", "--run-id", "a.B-9_"));
    assert_int_equal(o.command, CLI_BUILD);
    assert_int_equal(o.arguments.count, 2);
    assert_string_equal(o.build.output, "s3://b/p");
    assert_string_equal(o.build.vectors, "v.npy");
    assert_int_equal(o.build.backend, CLI_BACKEND_UNIFIED);
    assert_int_equal(o.build.num_dbs, 32768);
    assert_string_equal(o.build.key_encoding, "u32be");
    assert_int_equal(o.build.value_format, CLI_VALUE_JSON);
    assert_string_equal(o.build.metric, "l2");
    assert_int_equal(o.build.page_size, 65536);
    assert_true(o.build.no_sidecar);
    assert_string_equal(o.build.run_id, "a.B-9_");
    cli_options_free(&o);
    assert_right(PARSE(&o, "-", "--output", "x", "--max-keys-per-shard", "1000000", "--jobs", "4", "--resume", "--run-id",
                       "r", "--keep-attempts", "--dry-run", "--on-duplicate", "last", "--on-error", "skip", "--seed", "0",
                       "--memory-budget", "64MiB", "--key-format", "base64", "--no-progress", "--page-size", "auto"));
    assert_true(o.build.max_keys_per_shard == 1000000);
    assert_int_equal(o.build.jobs, 4);
    assert_true(o.build.resume && o.build.keep_attempts && o.build.dry_run);
    assert_true(o.build.last_wins && o.build.skip_bad && o.build.has_seed && o.build.seed == 0);
    assert_true(o.memory_budget == 64u << 20);
    assert_int_equal(o.key_format, CLI_KEY_BASE64);
    assert_true(o.no_progress);
    assert_int_equal(o.build.page_size, 0);
    cli_options_free(&o);
    assert_right(PARSE(&o, "-", "--output", "x", "--on-error", "stop", "--on-duplicate", "error"));
    assert_false(o.build.skip_bad || o.build.last_wins);
    cli_options_free(&o);
}

static void wrong_usage(void **state) {
    (void)state;
    WRONG("build takes INPUTs", "--output", "x");
    WRONG("build needs --output", "a");
    WRONG("standard input (-) can be read once", "-", "-", "--output", "x");
    WRONG("standard input (-) can be read once", "-", "--vectors", "-", "--output", "x");
    WRONG("--num-dbs and --max-keys-per-shard exclude", "a", "--output", "x", "--num-dbs", "1", "--max-keys-per-shard",
          "1");
    WRONG("--resume needs the --run-id", "a", "--output", "x", "--resume");
    WRONG("--vectors: a kv snapshot has none", "a", "--output", "x", "--backend", "kv", "--vectors", "v");
    WRONG("--metric: a kv snapshot has no vectors", "a", "--output", "x", "--backend", "kv", "--metric", "l2");
    WRONG("--num-dbs: '0' is not", "a", "--num-dbs", "0");
    WRONG("--num-dbs: '32769' is not", "a", "--num-dbs", "32769");
    WRONG("--max-keys-per-shard: '0' is not", "a", "--max-keys-per-shard", "0");
    WRONG("--page-size: '5000' is not", "a", "--page-size", "5000");
    WRONG("--page-size: '2048' is not", "a", "--page-size", "2048");
    WRONG("--page-size: '128K' is not", "a", "--page-size", "128K");
    WRONG("--run-id: '.a' is not", "a", "--run-id", ".a");
    WRONG("--run-id: 'a/b' is not", "a", "--run-id", "a/b");
    WRONG("--run-id: '' is not", "a", "--run-id", "");
    WRONG("--jobs: '0' is not", "a", "--jobs", "0");
    WRONG("--seed: '-1' is not", "a", "--seed", "-1");
    WRONG("--on-error: 'ignore' is not stop or skip", "a", "--on-error", "ignore");
    WRONG("--on-duplicate: 'first' is not error or last", "a", "--on-duplicate", "first");
    WRONG("--backend: 'lmdb' is not unified, kv or vector", "a", "--backend", "lmdb");
    WRONG("--key-encoding: 'u16' is not", "a", "--key-encoding", "u16");
    WRONG("--value-format: 'raw' is not", "a", "--value-format", "raw");
    WRONG("--metric: 'l1' is not cosine or l2", "a", "--metric", "l1");
    WRONG("--current-url is not a flag of build", "a", "--output", "x", "-u", "y");
    WRONG("--ref is not a flag of build", "a", "--output", "x", "--ref", "y");
}

static void assert_values(const char *given, const char *json) {
    char *text = cli_routing_values(given);
    assert_string_equal(text, json);
    free(text);
}

static void expressions(void **state) {
    struct cli_options o;
    struct cli_columns columns;
    (void)state;
    assert_right(PARSE(&o, "a", "--output", "x", "--cel-expr", "a + b", "--cel-column", "a:b:string", "--cel-column",
                       "key:uint", "--routing-values", "1,2"));
    assert_string_equal(o.build.cel_expr, "a + b");
    assert_string_equal(o.build.routing_values, "1,2");
    assert_right(cli_columns_parse(&o.build.cel_columns, &columns));
    char *text = cli_columns_text(&columns);
    assert_string_equal(text, "{\"a:b\":\"string\",\"key\":\"uint\"}");
    assert_int_equal(columns.key, 1);
    assert_ptr_equal(cli_columns_find(&columns, "a:bc", 3), &columns.items[0]);
    assert_null(cli_columns_find(&columns, "a:bc", 4));
    free(text);
    cli_columns_free(&columns);
    cli_options_free(&o);
    assert_values("1,2,-3", "[1,2,-3]");
    assert_values("1,b", "[\"1\",\"b\"]");
    assert_values("eu,,us\"", "[\"eu\",\"\",\"us\\\"\"]");
    assert_values("9223372036854775808", "[\"9223372036854775808\"]");
    assert_values("[\"1\"]", "[\"1\"]");
#define TO "a", "--output", "x"
#define BY "--cel-expr", "key", "--cel-column", "key:int"
    WRONG("--cel-expr needs its columns", TO, "--cel-expr", "key");
    WRONG("--cel-expr needs a value", TO, "--cel-expr", "");
    WRONG("--cel-column needs --cel-expr", TO, "--cel-column", "x:int");
    WRONG("--routing-values needs --cel-expr", TO, "--routing-values", "a");
    WRONG("--infer-routing-values needs --cel-expr", TO, "--infer-routing-values");
    WRONG("'key' is not NAME:TYPE", TO, "--cel-expr", "key", "--cel-column", "key");
    WRONG("':int' is not NAME:TYPE", TO, "--cel-expr", "key", "--cel-column", ":int");
    WRONG("'text' is not int, uint", TO, "--cel-expr", "key", "--cel-column", "key:text");
    WRONG("names 'key' twice", TO, BY, "--cel-column", "key:uint");
    WRONG("not UTF-8", TO, "--cel-expr", "key", "--cel-column", "\xff:uint");
    WRONG("exclude one another", TO, BY, "--routing-values", "1", "--infer-routing-values");
    WRONG("--max-keys-per-shard: the expression", TO, BY, "--max-keys-per-shard", "7");
    WRONG("--num-dbs: with --infer-routing-values", TO, BY, "--num-dbs", "7", "--infer-routing-values");
}

static void vectors_alone(void **state) {
    struct cli_options o;
    (void)state;
#define VECTOR "a", "--output", "x", "--backend", "vector"
    assert_right(PARSE(&o, VECTOR, "--vector-sharding", "lsh", "--hash-bits", "63", "--hyperplanes", "h.npy",
                       "--num-probes", "3", "--num-dbs", "4", "--metric", "l2", "--vectors", "v.npy"));
    assert_int_equal(o.build.backend, CLI_BACKEND_VECTOR);
    assert_int_equal(o.build.vector_sharding, CLI_SHARDING_LSH);
    assert_int_equal(o.build.hash_bits, 63);
    assert_string_equal(o.build.hyperplanes, "h.npy");
    assert_int_equal(o.num_probes, 3);
    cli_options_free(&o);
    assert_right(PARSE(&o, VECTOR, "--training-rows", "5000", "--training-rounds", "7"));
    assert_int_equal(o.build.training_rows, 5000);
    assert_int_equal(o.build.training_rounds, 7);
    assert_int_equal(cli_vector_sharding_of(&o.build), CLI_SHARDING_CLUSTER);
    cli_options_free(&o);
    assert_right(PARSE(&o, VECTOR, "--centroids", "c.npy"));
    assert_string_equal(o.build.centroids, "c.npy");
    assert_string_equal(cli_vector_sharding_name(cli_vector_sharding_of(&o.build)), "cluster");
    cli_options_free(&o);
    /* Whoever has an expression or hyperplanes need not say it twice. */
    assert_right(PARSE(&o, VECTOR, "--cel-expr", "r", "--cel-column", "r:string", "--infer-routing-values"));
    assert_string_equal(cli_vector_sharding_name(cli_vector_sharding_of(&o.build)), "cel");
    cli_options_free(&o);
    assert_right(PARSE(&o, VECTOR, "--hash-bits", "4"));
    assert_string_equal(cli_vector_sharding_name(cli_vector_sharding_of(&o.build)), "lsh");
    cli_options_free(&o);
    assert_right(PARSE(&o, VECTOR, "--vector-sharding", "explicit", "--num-dbs", "4", "--num-probes", "1"));
    assert_string_equal(cli_vector_sharding_name(cli_vector_sharding_of(&o.build)), "explicit");
    cli_options_free(&o);
}

static void vectors_alone_wrong_usage(void **state) {
    (void)state;
    WRONG("--vector-sharding: 'hash' is not cluster, lsh, explicit or cel", VECTOR, "--vector-sharding", "hash");
    WRONG("--hash-bits: '64' is not", VECTOR, "--hash-bits", "64");
    WRONG("--hash-bits: '0' is not", VECTOR, "--hash-bits", "0");
    WRONG("--training-rows: '0' is not", VECTOR, "--training-rows", "0");
    WRONG("--training-rounds: '-1' is not", VECTOR, "--training-rounds", "-1");
    WRONG("--centroids needs a value", VECTOR, "--centroids", "");
    WRONG("--hyperplanes needs a value", VECTOR, "--hyperplanes", "");
    WRONG("--vector-sharding belongs to snapshots of vectors alone", TO, "--vector-sharding", "lsh");
    WRONG("--hash-bits belongs to snapshots of vectors alone", TO, "--hash-bits", "8");
    WRONG("--centroids belongs to snapshots of vectors alone", TO, "--backend", "unified", "--centroids", "c.npy");
    WRONG("--hyperplanes belongs to snapshots of vectors alone", TO, "--hyperplanes", "h.npy");
    WRONG("--training-rows belongs to snapshots of vectors alone", TO, "--backend", "kv", "--training-rows", "9");
    WRONG("--num-probes belongs to snapshots of vectors alone", TO, "--num-probes", "2");
    WRONG("--centroids belongs to --vector-sharding cluster, and this is lsh", VECTOR, "--centroids", "c",
          "--hash-bits", "8");
    WRONG("--hash-bits belongs to --vector-sharding lsh, and this is cluster", VECTOR, "--vector-sharding", "cluster",
          "--hash-bits", "8");
    WRONG("--cel-expr belongs to --vector-sharding cel, and this is explicit", VECTOR, BY, "--vector-sharding",
          "explicit", "--num-dbs", "2");
    WRONG("--vector-sharding cel needs --cel-expr", VECTOR, "--vector-sharding", "cel");
    WRONG("--vector-sharding explicit needs --num-dbs", VECTOR, "--vector-sharding", "explicit");
    WRONG("--num-probes: with --vector-sharding cel", VECTOR, BY, "--num-probes", "2");
    WRONG("--num-probes: with --vector-sharding explicit", VECTOR, "--vector-sharding", "explicit", "--num-dbs", "4",
          "--num-probes", "2");
    WRONG("with --centroids none are looked for", VECTOR, "--centroids", "c", "--training-rows", "9");
    WRONG("read from files, not from standard input", VECTOR, "--centroids", "-");
    WRONG("read from files, not from standard input", VECTOR, "--hyperplanes", "-");
    WRONG("--max-keys-per-shard: rows of a snapshot of vectors", VECTOR, "--max-keys-per-shard", "9");
    WRONG("--key-encoding: a snapshot of vectors has ids", VECTOR, "--key-encoding", "utf8");
    WRONG("--value-format: a snapshot of vectors has no values", VECTOR, "--value-format", "utf8");
    WRONG("--key-format: a snapshot of vectors has ids", VECTOR, "--key-format", "hex");
}

static void what_is_to_come_is_refused_by_name(void **state) {
    (void)state;
    WRONG("--backend composite is not in this version", "a", "--backend", "composite");
    WRONG("--kv-backend slatedb is not in this version", "a", "--kv-backend", "slatedb");
    WRONG("--metric dot_product is not in this version", "a", "--metric", "dot_product");
}

static void sizes(void **state) {
    static const struct {
        const char *text;
        uint64_t bytes;
    } right[] = {{"0", 0},
                 {"1", 1},
                 {"64K", 65536},
                 {"64k", 65536},
                 {"64KiB", 65536},
                 {"64kB", 64000},
                 {"64KB", 64000},
                 {"3M", 3u << 20},
                 {"3MiB", 3u << 20},
                 {"3MB", 3000000},
                 {"1G", 1u << 30},
                 {"1GB", 1000000000},
                 {"2T", UINT64_C(2) << 40},
                 {"2TB", UINT64_C(2000000000000)},
                 {"16777215TiB", UINT64_C(16777215) << 40}};
    static const char *const wrong[] = {
        "", "K", "1 K", "-1", "1.5G", "1KiBs", "1Ki", "1X", "1b", "16777216TiB", "12B", "1KK", "18446744073709551616"};
    uint64_t bytes;
    (void)state;
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        assert_true(cli_parse_size(right[i].text, &bytes));
        assert_true(bytes == right[i].bytes);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        bytes = 7;
        if (cli_parse_size(wrong[i], &bytes)) fail_msg("'%s' was taken", wrong[i]);
        assert_true(bytes == 7);
    }
}

static void shards_by_size(void **state) {
    (void)state;
    assert_int_equal(cli_plan_shards(0, CLI_SHARD_BYTES), 1);
    assert_int_equal(cli_plan_shards(1, CLI_SHARD_BYTES), 1);
    assert_int_equal(cli_plan_shards(UINT64_C(256) << 20, CLI_SHARD_BYTES), 1);
    assert_int_equal(cli_plan_shards((UINT64_C(256) << 20) + 1, CLI_SHARD_BYTES), 2);
    assert_int_equal(cli_plan_shards(UINT64_C(10) << 30, CLI_SHARD_BYTES), 40);
    assert_int_equal(cli_plan_shards(UINT64_MAX, CLI_SHARD_BYTES), CLI_MAX_DBS);
    assert_int_equal(cli_plan_shards(UINT64_C(33) << 20, CLI_PROBED_SHARD_BYTES), 2);
}

static void progress_is(struct cli_progress_view view, double seconds, const char *wanted) {
    struct cli_out out;
    cli_out_init(&out, -1);
    cli_progress_text(&out, &view, seconds);
    assert_string_equal(out.data, wanted);
    cli_out_free(&out);
}

static void progress(void **state) {
    (void)state;
    progress_is((struct cli_progress_view){.phase = SHF_PHASE_WRITE}, 0, "reading: 0 rows, 0 B");
    progress_is((struct cli_progress_view){.phase = SHF_PHASE_WRITE, .rows = 1234567, .bytes = 999949}, 0.5,
                "reading: 1,234,567 rows, 999.9 kB");
    progress_is((struct cli_progress_view){.phase = SHF_PHASE_WRITE, .rows = 100, .bytes = 50000000}, 10,
                "reading: 100 rows, 50.0 MB, 5.0 MB/s");
    progress_is(
        (struct cli_progress_view){.phase = SHF_PHASE_WRITE, .rows = 999, .bytes = 50000000, .bytes_total = 200000000},
        10, "reading: 999 rows, 50.0 MB, 5.0 MB/s, 0:30 left");
    progress_is(
        (struct cli_progress_view){.phase = SHF_PHASE_WRITE, .rows = 1, .bytes = 1000000, .bytes_total = 1000000000},
        10, "reading: 1 rows, 1.0 MB, 100.0 kB/s, 2:46:30 left");
    progress_is((struct cli_progress_view){.phase = SHF_PHASE_SORT, .rows = 5, .bytes = 10}, 2,
                "sorting: 5 rows, 10 B, 5 B/s");
    progress_is(
        (struct cli_progress_view){
            .phase = SHF_PHASE_BUILD, .rows = 1000, .rows_total = 4000, .bytes = 2000000, .shards_done = 1, .num_dbs = 4},
        2, "building: 1 of 4 shards, 1,000 of 4,000 rows, 2.0 MB, 1.0 MB/s, 0:06 left");
    progress_is((struct cli_progress_view){.phase = SHF_PHASE_PUBLISH, .rows = 4000, .rows_total = 4000, .bytes = 2000000},
                2, "publishing: 4,000 of 4,000 rows, 2.0 MB");
    progress_is((struct cli_progress_view){.phase = SHF_PHASE_TRAIN, .rows = 20000}, 5, "training: 20,000 rows");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_flag),
        cmocka_unit_test(wrong_usage),
        cmocka_unit_test(expressions),
        cmocka_unit_test(what_is_to_come_is_refused_by_name),
        cmocka_unit_test(sizes),
        cmocka_unit_test(shards_by_size),
        cmocka_unit_test(progress),
        cmocka_unit_test(vectors_alone),
        cmocka_unit_test(vectors_alone_wrong_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
