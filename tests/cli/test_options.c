#include "cli_test.h"

#include "cli/options.h"

#include <shardyfusion/shardyfusion.h>

/* Words of a command line, without the program's name, up to NULL. */
static char *parse(struct cli_options *options, ...) {
    char *argv[32] = {(char *)"shardy"};
    int argc = 1;
    va_list words;
    va_start(words, options);
    for (char *word; (word = va_arg(words, char *)) != NULL;) argv[argc++] = word;
    va_end(words);
    return cli_options_parse(argc, argv, options);
}
#define PARSE(o, ...) parse(o, __VA_ARGS__, NULL)
#define RIGHT(...)                                                                                                     \
    do {                                                                                                               \
        struct cli_options right_;                                                                                     \
        assert_right(PARSE(&right_, __VA_ARGS__));                                                                     \
        cli_options_free(&right_);                                                                                     \
    } while (0)
#define WRONG(part, ...)                                                                                               \
    do {                                                                                                               \
        struct cli_options wrong_options_;                                                                             \
        assert_wrong(PARSE(&wrong_options_, __VA_ARGS__), part);                                                       \
        cli_options_free(&wrong_options_);                                                                             \
    } while (0)

static void flags_stand_anywhere(void **state) {
    struct cli_options o;
    (void)state;
    assert_right(PARSE(&o, "-u", "s3://b/p", "--strict", "get", "nginx", "--output-format=json", "-vv", "--timeout",
                       "2.5", "--s3-option", "region=x", "--s3-option", "endpoint_url=http://h:1/?a=b"));
    assert_int_equal(o.command, CLI_GET);
    assert_string_equal(o.current_url, "s3://b/p");
    assert_true(o.strict);
    assert_int_equal(o.format, CLI_JSON);
    assert_int_equal(o.verbose, 2);
    assert_int_equal(o.timeout_ms, 2500);
    assert_int_equal(o.s3_options.count, 2);
    assert_string_equal(o.s3_options.items[1], "endpoint_url=http://h:1/?a=b");
    assert_int_equal(o.arguments.count, 1);
    assert_string_equal(o.arguments.items[0], "nginx");
    cli_options_free(&o);
}

static void what_begins_with_a_dash(void **state) {
    struct cli_options o;
    (void)state;
    assert_right(PARSE(&o, "get", "-5"));
    assert_string_equal(o.arguments.items[0], "-5");
    cli_options_free(&o);
    assert_right(PARSE(&o, "search", "-.5,1"));
    assert_string_equal(o.arguments.items[0], "-.5,1");
    cli_options_free(&o);
    assert_right(PARSE(&o, "multiget", "-", "--flat"));
    assert_string_equal(o.arguments.items[0], "-");
    assert_true(o.flat);
    cli_options_free(&o);
    assert_right(PARSE(&o, "get", "--", "--help"));
    assert_string_equal(o.arguments.items[0], "--help");
    assert_false(o.help);
    cli_options_free(&o);
    assert_right(PARSE(&o, "-vus3://b", "info"));
    assert_string_equal(o.current_url, "s3://b");
    assert_int_equal(o.verbose, 1);
    cli_options_free(&o);
}

static void values(void **state) {
    struct cli_options o;
    (void)state;
    assert_right(PARSE(&o, "search", "--like", "", "--shard-ids", "0,2,65535", "--top-k", "4294967295", "--offset", "0",
                       "--sqlite-mode", "range", "--sqlite-auto-per-shard-bytes", "0", "--memory-budget", "1",
                       "--max-concurrency", "65536", "--max-open-shards", "65536", "--timeout", "0"));
    assert_string_equal(o.like, "");
    assert_int_equal(o.shard_id_count, 3);
    assert_int_equal(o.shard_ids[2], 65535);
    assert_true(o.top_k == UINT32_MAX);
    assert_true(o.has_offset && o.offset == 0);
    assert_int_equal(o.sqlite_mode, SHF_ACCESS_RANGE);
    assert_true(o.has_per_shard && o.per_shard_bytes == 0);
    assert_true(o.has_timeout && o.timeout_ms == 0);
    assert_int_equal(o.max_open_shards, 65536);
    cli_options_free(&o);
    assert_right(PARSE(&o, "search", "1", "--shard-ids", ""));
    assert_true(o.has_shard_ids && o.shard_id_count == 0);
    cli_options_free(&o);
    RIGHT("--help");
    RIGHT("get", "--help");
    RIGHT("--version");
}

static void recall(void **state) {
    struct cli_options o;
    (void)state;
    assert_right(PARSE(&o, "recall", "--num-probes", "8,1,4,4", "--queries", "300", "--seed", "7", "--target", "1",
                       "--plot", "f.svg", "--top-k", "5"));
    assert_int_equal(o.command, CLI_RECALL);
    assert_int_equal(o.probe_count, 4);
    assert_true(o.probes[0] == 1 && o.probes[1] == 4 && o.probes[2] == 4 && o.probes[3] == 8);
    assert_null(o.queries);
    assert_int_equal(o.sample, 300);
    assert_true(o.build.has_seed && o.build.seed == 7);
    assert_true(o.has_target && o.target == 1);
    assert_string_equal(o.plot, "f.svg");
    cli_options_free(&o);
    assert_right(PARSE(&o, "--queries", "./300", "recall"));
    assert_string_equal(o.queries, "./300");
    assert_int_equal(o.sample, 0);
    cli_options_free(&o);
    assert_right(PARSE(&o, "search", "--queries", "300", "--num-probes", "2")); /* of search it is a file */
    assert_string_equal(o.queries, "300");
    assert_int_equal(o.num_probes, 2);
    cli_options_free(&o);
    RIGHT("recall", "--help", "--queries", "0");
    WRONG("--queries: '0' is not a number of stored vectors from 1", "recall", "--queries", "0");
    WRONG("--sample: '0' is not", "recall", "--sample", "0");
    WRONG("--sample: '100001' is not", "recall", "--sample", "100001");
    WRONG("--sample: 'many' is not", "recall", "--sample", "many");
    WRONG("--queries and --sample exclude one another", "recall", "--queries", "5", "--sample", "5");
    WRONG("--queries and --sample exclude one another", "recall", "--queries", "f.npy", "--sample", "5");
    WRONG("--num-probes and --shard-ids exclude one another", "recall", "--num-probes", "1", "--shard-ids", "0");
    WRONG("--target: '0' is not", "recall", "--target", "0");
    WRONG("--target: '1.01' is not", "recall", "--target", "1.01");
    WRONG("--target: 'nan' is not", "recall", "--target", "nan");
    WRONG("--num-probes: '1,' is not", "recall", "--num-probes", "1,");
    WRONG("--num-probes: '' is not", "recall", "--num-probes=");
    WRONG("--num-probes: '0,1' is not", "recall", "--num-probes", "0,1");
    WRONG("--num-probes: '65537' is not", "recall", "--num-probes", "65537");
    WRONG("--num-probes: search takes one number", "search", "1", "--num-probes", "1,2");
    WRONG("--plot: '-' is not the name of a file", "recall", "--plot", "-");
    WRONG("recall takes no arguments", "recall", "1,2");
    WRONG("--seed is not a flag of search", "search", "1", "--seed", "1");
    WRONG("--seed: '-1' is not", "recall", "--seed", "-1");
}

static void wrong_usage(void **state) {
    (void)state;
    WRONG("a command is missing", "-v");
    WRONG("the command 'cleanup' is not in this version", "cleanup");
    WRONG("there is no command 'gett'", "gett");
    WRONG("there is no flag --nope", "get", "--nope");
    WRONG("there is no flag -x", "get", "-x");
    WRONG("there is no flag --", "get", "a", "--=1");
    WRONG("--ref needs a value", "get", "a", "--ref");
    WRONG("--ref needs a value", "get", "a", "--ref=");
    WRONG("--flat takes no value", "multiget", "a", "--flat=1");
    WRONG("--flat is not a flag of get", "get", "a", "--flat");
    WRONG("--limit is not a flag of info", "--limit", "3", "info");
    WRONG("get takes one KEY", "get");
    WRONG("for more, use multiget", "get", "a", "b");
    WRONG("multiget takes KEYs", "multiget");
    WRONG("info takes no arguments", "info", "x");
    WRONG("search needs a QUERY", "search");
    WRONG("search takes one QUERY", "search", "1,2", "3");
    WRONG("exclude one another", "search", "1,2", "--like", "x");
    WRONG("--ref and --offset exclude one another", "info", "--ref", "x", "--offset", "1");
    WRONG("-v and -q exclude one another", "info", "-v", "-q");
    WRONG("--output-format: 'xml' is not json, jsonl, table or text", "info", "--output-format", "xml");
    WRONG("--value-encoding: 'utf-8' is not", "info", "--value-encoding", "utf-8");
    WRONG("--key-format: 'int' is not", "info", "--key-format", "int");
    WRONG("--color: 'yes' is not", "info", "--color", "yes");
    WRONG("--offset: '-1' is not a whole number", "info", "--offset", "-1");
    WRONG("--timeout: '1s' is not a number of seconds", "info", "--timeout", "1s");
    WRONG("--timeout: '-1' is not", "info", "--timeout", "-1");
    WRONG("--timeout: 'nan' is not", "info", "--timeout", "nan");
    WRONG("--memory-budget: '0' is not", "info", "--memory-budget", "0");
    WRONG("--memory-budget: '1XB' is not", "info", "--memory-budget", "1XB");
    WRONG("--max-concurrency: '0' is not", "info", "--max-concurrency", "0");
    WRONG("--max-open-shards: '0' is not", "search", "--max-open-shards", "0");
    WRONG("--sqlite-mode: 'mmap' is not", "info", "--sqlite-mode", "mmap");
    WRONG("--s3-option: 'region' is not KEY=VALUE", "info", "--s3-option", "region");
    WRONG("--s3-option: '=x' is not KEY=VALUE", "info", "--s3-option", "=x");
    WRONG("--routing-context: 'x' is not KEY=VALUE", "get", "a", "--routing-context", "x");
    WRONG("--top-k: '0' is not", "search", "1", "--top-k", "0");
    WRONG("--top-k: '4294967296' is not", "search", "1", "--top-k", "4294967296");
    WRONG("--shard-ids: '1,' is not", "search", "1", "--shard-ids", "1,");
    WRONG("--shard-ids: ',1' is not", "search", "1", "--shard-ids", ",1");
    WRONG("--shard-ids: '1 2' is not", "search", "1", "--shard-ids", "1 2");
    WRONG("--recall is not in this version", "search", "1", "--recall", "0.9");
    WRONG("--limit: '0' is not", "history", "--limit", "0");
    WRONG("--staleness-threshold: '0' is not", "health", "--staleness-threshold", "0");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_stand_anywhere),
        cmocka_unit_test(what_begins_with_a_dash),
        cmocka_unit_test(values),
        cmocka_unit_test(recall),
        cmocka_unit_test(wrong_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
