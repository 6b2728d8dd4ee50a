/* Manifests: every column of every wrong type, counts, ids, JSON bombs, damage. */
#include "hostile/pages.h"

#include <stdio.h>

static const struct bytes *sound_manifest(void) { return hostile_sound(HOSTILE_MANIFEST, 0); }

static void try_sql(enum hostile_wish wish, const char *rule, const char *sql, const char *argument,
                    size_t argument_size, const char *name) {
    struct bytes hostile = hostile_run_sql(sound_manifest(), sql, argument, argument_size);
    hostile_try(HOSTILE_MANIFEST, wish, rule, hostile.data, hostile.size, "%.140s", name);
    free(hostile.data);
}

/* ---- columns ---- */

static void every_type(void) {
    static const char *const columns[][2] = {
        {"build_meta", "run_id"},
        {"build_meta", "created_at"},
        {"build_meta", "num_dbs"},
        {"build_meta", "s3_prefix"},
        {"build_meta", "key_col"},
        {"build_meta", "sharding"},
        {"build_meta", "db_path_template"},
        {"build_meta", "shard_prefix"},
        {"build_meta", "format_version"},
        {"build_meta", "key_encoding"},
        {"build_meta", "custom"},
        {"shards", "db_id"},
        {"shards", "db_url"},
        {"shards", "attempt"},
        {"shards", "row_count"},
        {"shards", "db_bytes"},
        {"shards", "min_key"},
        {"shards", "max_key"},
        {"shards", "checkpoint_id"},
        {"shards", "writer_info"},
    };
    static const char *const values[] = {
        "NULL",
        "-1",
        "9223372036854775807",
        "1e300",
        "-0.5",
        "''",
        "'x'",
        "x''",
        "x'ff00fe'",
        "'[[[[[[[['",
        "'{}'",
        "'null'",
        "CAST(x'610062' AS TEXT)",
        "CAST(x'c328' AS TEXT)",
        "printf('%.*c', 300000, 'y')",
        "zeroblob(100000)",
    };
    for (size_t c = 0; c < sizeof columns / sizeof columns[0]; c++) {
        for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
            char sql[256];
            (void)snprintf(sql, sizeof sql, "UPDATE %s SET %s = %s", columns[c][0], columns[c][1], values[v]);
            try_sql(HOSTILE_MAY_DO, "type of a column", sql, NULL, 0, sql);
        }
        char sql[256];
        (void)snprintf(sql, sizeof sql, "ALTER TABLE %s RENAME COLUMN %s TO other", columns[c][0], columns[c][1]);
        try_sql(HOSTILE_FAILS, "every column is there", sql, NULL, 0, sql);
    }
    hostile_count("columns of the manifest");
}

#define CEL(columns, expression)                                                                                       \
    "UPDATE build_meta SET sharding = '{\"hash_algorithm\": \"xxh3_64\", \"strategy\": \"cel\", \"cel_columns\": "     \
    "{" columns "}, \"cel_expr\": \"" expression "\"}'"

static void rules(void) {
    static const struct {
        enum hostile_wish wish;
        const char *rule, *sql;
    } broken[] = {
        {HOSTILE_FAILS, "num_dbs", "UPDATE build_meta SET num_dbs = 0"},
        {HOSTILE_FAILS, "num_dbs", "UPDATE build_meta SET num_dbs = 65537"},
        {HOSTILE_FAILS, "num_dbs", "UPDATE build_meta SET num_dbs = 2147483648"},
        {HOSTILE_FAILS, "num_dbs", "UPDATE build_meta SET num_dbs = 4294967297"},
        {HOSTILE_FAILS, "num_dbs", "UPDATE build_meta SET num_dbs = 1.5"},
        {HOSTILE_FAILS, "num_dbs", "UPDATE build_meta SET num_dbs = '1x'"},
        {HOSTILE_FAILS, "num_dbs", "UPDATE build_meta SET num_dbs = 9e99"},
        {HOSTILE_FAILS, "format_version", "UPDATE build_meta SET format_version = 3"},
        {HOSTILE_FAILS, "format_version", "UPDATE build_meta SET format_version = 4294967300"},
        {HOSTILE_FAILS, "key_encoding", "UPDATE build_meta SET key_encoding = 'utf8 '"},
        {HOSTILE_FAILS, "key_encoding", "UPDATE build_meta SET key_encoding = 'UTF8'"},
        {HOSTILE_FAILS, "created_at", "UPDATE build_meta SET created_at = '2026-02-30T00:00:00Z'"},
        {HOSTILE_FAILS, "created_at", "UPDATE build_meta SET created_at = '99999999999999999999'"},
        {HOSTILE_FAILS, "one row", "DELETE FROM build_meta"},
        {HOSTILE_FAILS, "tables", "DROP TABLE build_meta"},
        {HOSTILE_FAILS, "tables", "DROP TABLE shards"},
        {HOSTILE_FAILS, "tables", "UPDATE sqlite_schema SET rootpage = 1 WHERE name = 'shards'"},
        {HOSTILE_FAILS, "tables", "UPDATE sqlite_schema SET rootpage = 0 WHERE name = 'shards'"},
        {HOSTILE_FAILS, "tables", "UPDATE sqlite_schema SET rootpage = 99999 WHERE name = 'build_meta'"},
        {HOSTILE_FAILS, "tables", "UPDATE sqlite_schema SET sql = 'CREATE TABLE shards' WHERE name = 'shards'"},
        {HOSTILE_FAILS, "tables", "UPDATE sqlite_schema SET sql = sql || ' WITHOUT ROWID' WHERE name = 'shards'"},
        {HOSTILE_FAILS, "tables", "UPDATE sqlite_schema SET sql = '((((((((' WHERE name = 'build_meta'"},
        {HOSTILE_FAILS, "ids are unique", "INSERT INTO shards SELECT * FROM shards; UPDATE build_meta SET num_dbs = 2"},
        {HOSTILE_FAILS, "as many rows as num_dbs",
         "INSERT INTO shards SELECT 1,db_url,0,0,0,NULL,NULL,NULL,'{}' FROM shards"},
        {HOSTILE_FAILS, "ids are below num_dbs", "UPDATE shards SET db_id = 1"},
        {HOSTILE_FAILS, "ids are below num_dbs", "UPDATE shards SET db_id = 4294967296"},
        {HOSTILE_FAILS, "row counts have a sum",
         "UPDATE build_meta SET num_dbs = 3; UPDATE shards SET row_count = 9223372036854775807; "
         "INSERT INTO shards SELECT 1,NULL,0,9223372036854775807,0,NULL,NULL,NULL,'{}' FROM shards;"
         "INSERT INTO shards SELECT 2,NULL,0,9223372036854775807,0,NULL,NULL,NULL,'{}' FROM shards LIMIT 1"},
        {HOSTILE_FAILS, "attempt", "UPDATE shards SET attempt = 4294967296"},
        {HOSTILE_FAILS, "attempt", "UPDATE shards SET attempt = 0.5"},
        {HOSTILE_FAILS, "min_key", "UPDATE shards SET min_key = '[1]'"},
        {HOSTILE_FAILS, "min_key", "UPDATE shards SET min_key = '1.5'"},
        {HOSTILE_FAILS, "max_key", "UPDATE shards SET max_key = '{\"a\": 1}'"},
        {HOSTILE_FAILS, "max_key", "UPDATE shards SET max_key = '\"open'"},
        {HOSTILE_FAILS, "writer_info", "UPDATE shards SET writer_info = '[]'"},
        {HOSTILE_FAILS, "writer_info", "UPDATE shards SET writer_info = '{\"attempt\": \"x\"}'"},
        {HOSTILE_FAILS, "sharding", "UPDATE build_meta SET sharding = '{\"hash_algorithm\": \"xxh3_64\", \"evil\": 1}'"},
        {HOSTILE_FAILS, "sharding", "UPDATE build_meta SET sharding = '{\"hash_algorithm\": \"xxh3_64\\u0000\"}'"},
        {HOSTILE_FAILS, "sharding", "UPDATE build_meta SET sharding = '{\"hash_algorithm\": [\"xxh3_64\"]}'"},
        {HOSTILE_FAILS, "sharding", "UPDATE build_meta SET sharding = '{\"strategy\": \"hash\"}'"},
        {HOSTILE_FAILS, "sharding",
         "UPDATE build_meta SET sharding = '{\"hash_algorithm\": \"xxh3_64\", \"routing_values\": []}'"},
        {HOSTILE_FAILS,
         "sharding", "UPDATE build_meta SET sharding = '{\"hash_algorithm\": \"xxh3_64\", \"strategy\": \"cel\", \"cel_expr\": \"\"}'"},
        {HOSTILE_FAILS, "the expression compiles", CEL("\"key\": \"int\"", "other % 1")},
        {HOSTILE_FAILS, "the expression compiles", CEL("\"key\": \"int\"", "key % 1u")},
        {HOSTILE_FAILS, "the expression compiles", CEL("\"key\": \"int\"", "key +")},
        {HOSTILE_FAILS, "the expression compiles", CEL("\"key\": \"int\"", "key == 1")},
        {HOSTILE_FAILS, "the expression compiles", CEL("\"key\": \"double\"", "key")},
        {HOSTILE_FAILS, "the expression compiles", CEL("\"key\": \"timestamp\"", "0")},
        {HOSTILE_FAILS, "the expression compiles", CEL("\"key\": \"\"", "0")},
        {HOSTILE_FAILS, "the expression compiles", CEL("\"key\": \"int\"", "[key]")},
        {HOSTILE_FAILS, "custom.vector.dim", "UPDATE build_meta SET custom = replace(custom, '\"dim\": 4', '\"dim\": 0')"},
        {HOSTILE_FAILS, "custom.vector.dim",
         "UPDATE build_meta SET custom = replace(custom, '\"dim\": 4', '\"dim\": -4')"},
        {HOSTILE_FAILS, "custom.vector.dim",
         "UPDATE build_meta SET custom = replace(custom, '\"dim\": 4', '\"dim\": 1e9')"},
        {HOSTILE_FAILS, "custom.vector.dim",
         "UPDATE build_meta SET custom = replace(custom, '\"dim\": 4', '\"dim\": 4294967300')"},
        {HOSTILE_FAILS, "custom.vector.metric", "UPDATE build_meta SET custom = replace(custom, '\"l2\"', '[\"l2\"]')"},
        {HOSTILE_FAILS, "custom.vector.metric", "UPDATE build_meta SET custom = replace(custom, '\"l2\"', 'null')"},
        {HOSTILE_FAILS, "custom.vector.backend", "UPDATE build_meta SET custom = replace(custom, '\"sqlite-vec\"', '{}')"},
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        try_sql(broken[i].wish, broken[i].rule, broken[i].sql, NULL, 0, broken[i].sql);
    }
    hostile_count("rules of the manifest");
}

/* Of snapshots of vectors only; this one's shards have keys as well, which are refused then. */
static void vector_rules(void) {
    static const struct {
        enum hostile_wish wish;
        const char *rule, *sql;
    } broken[] = {
        {HOSTILE_FAILS, "vectors only", "UPDATE build_meta SET custom = replace(custom, '\"unified\": true', '\"u\": 1')"},
        {HOSTILE_FAILS, "vectors only", "UPDATE build_meta SET custom = '{\"vector\": {}}'"},
        {HOSTILE_FAILS, "centroids_ref",
         "UPDATE build_meta SET custom = '{\"vector\": {\"dim\": 4, \"metric\": \"l2\", \"sharding_strategy\": "
         "\"cluster\", "
         "\"centroids_ref\": \"file:///etc/hostname\"}}'"},
        {HOSTILE_FAILS, "centroids_ref",
         "UPDATE build_meta SET custom = '{\"vector\": {\"dim\": 4, \"metric\": \"l2\", \"sharding_strategy\": "
         "\"cluster\", "
         "\"centroids_ref\": ' || json_quote(db_path_template) || '}}'"},
        {HOSTILE_FAILS, "hyperplanes_ref",
         "UPDATE build_meta SET custom = '{\"vector\": {\"dim\": 4, \"metric\": \"l2\", \"sharding_strategy\": "
         "\"lsh\", "
         "\"hyperplanes_ref\": ' || json_quote(s3_prefix || '/../x') || '}}'"},
        {HOSTILE_FAILS, "routing_values",
         "UPDATE build_meta SET custom = '{\"vector\": {\"dim\": 4, \"metric\": \"l2\", \"routing_values\": [[1]]}}'"},
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        try_sql(broken[i].wish, broken[i].rule, broken[i].sql, NULL, 0, broken[i].sql);
    }
    hostile_count("rules of vector-only manifests");
}

/* ---- the file ---- */

static void damage(void) {
    const struct bytes *sound = sound_manifest();
    struct bytes copy = {malloc(sound->size), sound->size};
    static const size_t cuts[] = {0, 1, 15, 16, 99, 100, 512, 4095, 4096, 4097, 8191, 8192, 12287};
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        hostile_try(HOSTILE_MANIFEST, HOSTILE_FAILS, "the file holds its pages", sound->data, cuts[i], "cut at %zu",
                    cuts[i]);
    }
    for (size_t at = 0; at < 8200; at += at < 120 ? 4 : 97) {
        memcpy(copy.data, sound->data, sound->size);
        memset(copy.data + at, 0xff, 4);
        hostile_try(HOSTILE_MANIFEST, HOSTILE_MAY_DO, "damage", copy.data, copy.size, "ones at %zu", at);
    }
    /* Pages that lead to themselves, and rows that share one overflow chain. */
    for (uint32_t page = 1; page <= 3; page++) {
        uint8_t *header = copy.data + (size_t)(page - 1) * 4096 + (page == 1 ? 100 : 0);
        memcpy(copy.data, sound->data, sound->size);
        header[0] = 5;
        put_be(header + 3, 2, 1);
        put_be(header + 8, 4, page);
        put_be(header + 12, 2, 4000);
        put_be(copy.data + (size_t)(page - 1) * 4096 + 4000, 4, page);
        hostile_try(HOSTILE_MANIFEST, HOSTILE_FAILS, "no cycles", copy.data, copy.size, "page %u leads to itself", page);
    }
    free(copy.data);
    hostile_count("damaged manifests");
}

void hostile_manifests(void **state) {
    (void)state;
    hostile_use_page_size(4096);
    every_type();
    rules();
    vector_rules();
    damage();
}

/* ---- JSON ---- */

static void bomb(enum hostile_wish wish, const char *column, const char *begin, const char *middle, size_t count,
                 const char *end, const char *what) {
    size_t from = strlen(begin), part = strlen(middle), to = strlen(end), size = from + count * part + to;
    char *text = malloc(size + 1), sql[128], name[160];
    memcpy(text, begin, from);
    for (size_t i = 0; i < count; i++) memcpy(text + from + i * part, middle, part);
    memcpy(text + from + count * part, end, to + 1);
    bool is_meta = strcmp(column, "sharding") == 0 || strcmp(column, "custom") == 0;
    (void)snprintf(sql, sizeof sql, "UPDATE %s SET %s = ?1", is_meta ? "build_meta" : "shards", column);
    (void)snprintf(name, sizeof name, "%s: %s, %zu bytes", column, what, size);
    try_sql(wish, "JSON of a bounded depth and size", sql, text, size, name);
    free(text);
}

#define EXPRESSION                                                                                                     \
    "{\"hash_algorithm\": \"xxh3_64\", \"strategy\": \"cel\", \"cel_columns\": {\"key\": \"string\"}, \"cel_expr\": "  \
    "\""
static void expressions(void) {
    bomb(HOSTILE_FAILS, "sharding", EXPRESSION, "(", 50000, "\"}", "open parentheses");
    bomb(HOSTILE_FAILS, "sharding", EXPRESSION "0", " ", 500000, "\"}", "blanks in an expression");
    bomb(HOSTILE_FAILS, "sharding", EXPRESSION, "[", 50000, "\"}", "open lists");
    bomb(HOSTILE_FAILS, "sharding", EXPRESSION, "key ? ", 20000, "0\"}", "open conditions");
    bomb(HOSTILE_MAY_DO, "sharding", EXPRESSION "0", " * 1", 20000, "\"}", "a long product");
    bomb(HOSTILE_MAY_DO, "sharding", EXPRESSION, "-", 50000, "0\"}", "signs");
    bomb(HOSTILE_MAY_DO, "sharding", EXPRESSION "0 * size(''", " + 'a'", 20000, ")\"}", "a long text");
    bomb(HOSTILE_MAY_DO, "sharding", EXPRESSION "'a' in [", "'b', ", 15000, "'c'] ? 1 : 0\"}", "a long list");
    bomb(HOSTILE_FAILS, "sharding",
         "{\"hash_algorithm\": \"xxh3_64\", \"strategy\": \"cel\", \"cel_expr\": \"0\", \"cel_columns\": {\"", "k",
         100000, "\": 1}}", "a name without end");
}

/* Tokens that are all different, so that each is kept. */
static void many_routing_values(void) {
    enum { COUNT = 65536, EACH = 12 };
    static const char begin[] =
        "{\"hash_algorithm\": \"xxh3_64\", \"strategy\": \"cel\", \"cel_expr\": \"a\", \"cel_columns\": "
        "{\"a\": \"int\"}, \"routing_values\": [0";
    char *text = malloc(sizeof begin + COUNT * EACH + 8), *to = text + sprintf(text, "%s", begin);
    for (int i = 1; i < COUNT; i++) to += sprintf(to, ",%d", i);
    to += sprintf(to, "]}");
    try_sql(HOSTILE_MAY_DO, "65536 routing values are read", "UPDATE build_meta SET sharding = ?1, num_dbs = 65536",
            text, (size_t)(to - text), "65536 routing values");
    free(text);
}

/* The same in custom.vector, as many as are read and one more; and as many columns. */
static void many_vector_routes(void) {
    enum { MOST = 65537, EACH = 24 };
    for (int count = MOST - 1; count <= MOST; count++) {
        static const char begin[] = "{\"vector\": {\"dim\": 4, \"metric\": \"l2\", \"sharding_strategy\": \"cel\", "
                                    "\"cel_expr\": \"a\", \"cel_columns\": {\"a\": \"int\"}, \"routing_values\": [0";
        char *text = malloc(sizeof begin + (size_t)MOST * EACH), *to = text + sprintf(text, "%s", begin);
        for (int i = 1; i < count; i++) to += sprintf(to, ",%d", MOST - i);
        to += sprintf(to, "]}}");
        try_sql(HOSTILE_FAILS, "65536 routing values are read", "UPDATE build_meta SET custom = ?1", text,
                (size_t)(to - text), "routing values of vectors"); /* no keys are there in any case */
        to = text + sprintf(text, "{\"vector\": {\"dim\": 4, \"metric\": \"l2\", \"cel_columns\": {\"a\": \"int\"");
        for (int i = 1; i < count; i++) to += sprintf(to, ",\"c%d\":\"int\"", i);
        to += sprintf(to, "}}}");
        try_sql(HOSTILE_FAILS, "4096 columns are read", "UPDATE build_meta SET custom = ?1", text, (size_t)(to - text),
                "columns of vectors");
        free(text);
    }
}

void hostile_manifest_json(void **state) {
    static const char *const columns[] = {"sharding", "custom", "min_key", "max_key", "writer_info"};
    (void)state;
    hostile_use_page_size(4096);
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        const char *column = columns[i];
        bomb(HOSTILE_FAILS, column, "", "[", 200000, "", "open brackets");
        bomb(HOSTILE_FAILS, column, "{\"a\":", "[", 300, "1", "deep brackets");
        bomb(HOSTILE_FAILS, column, "", "{\"a\":", 100000, "1", "open objects");
        bomb(HOSTILE_MAY_DO, column, "{\"a\": ", "9", 1000000, "}", "digits");
        bomb(HOSTILE_MAY_DO, column, "{\"a\": 1.", "0", 1000000, "}", "digits of a fraction");
        bomb(HOSTILE_MAY_DO, column, "{\"a\": 1e", "9", 100000, "}", "digits of an exponent");
        bomb(HOSTILE_MAY_DO, column, "{\"a\": \"", "\\u0000", 100000, "\"}", "NULs");
        bomb(HOSTILE_MAY_DO, column, "{\"a\": \"", "\\ud800", 100000, "\"}", "lone surrogates");
        bomb(HOSTILE_FAILS, column, "{\"a\": \"", "\\", 100001, "", "backslashes");
        bomb(HOSTILE_MAY_DO, column, "{", "\"a\":1,", 100000, "\"a\":1}", "members of one name");
        bomb(HOSTILE_MAY_DO, column, "{\"a\": [", "[],", 3000000, "[]]}", "millions of lists");
        bomb(HOSTILE_MAY_DO, column, "{\"a\": [", "{},", 3000000, "{}]}", "millions of objects");
        bomb(HOSTILE_MAY_DO, column, "{\"a\": [", "1,", 4000000, "1]}", "millions of numbers");
        bomb(HOSTILE_MAY_DO, column, "", " ", 17000000, "{}", "blanks");
        bomb(HOSTILE_FAILS, column, "{\"a\":1}", "{}", 1000, "", "more than one value");
        bomb(HOSTILE_FAILS, column, "\xef\xbb\xbf", "{}", 1, "", "a byte-order mark");
    }
    expressions();
    many_routing_values();
    many_vector_routes();
    hostile_count("JSON in the manifest");
}
