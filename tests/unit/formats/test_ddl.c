/* CREATE TABLE texts, and the text of a vec0 table. */
#include "support.h"

#include "formats/sqlite.h"
#include "formats/vec0_ddl.h"

#include <stdio.h>

static void expect_column(const char *sql, const char *name, int position, bool is_alias) {
    bool alias = !is_alias;
    assert_int_equal(shf_sqlite_ddl_column(sql, name, &alias), position);
    if (position >= 0) assert_int_equal(alias, is_alias);
}

static void test_positions(void **state) {
    (void)state;
    const char *plain = "CREATE TABLE t (a INTEGER, b TEXT NOT NULL DEFAULT '(,)', c)";
    expect_column(plain, "a", 0, false);
    expect_column(plain, "B", 1, false);
    expect_column(plain, "c", 2, false);
    expect_column(plain, "d", -1, false);
    const char *quoted =
        "CREATE TABLE \"t(x\" ([a b] INT, \"c\"\"d\" VARCHAR(10, 2), `e` CHECK (e IN ('f', \"g\")), 'h')";
    expect_column(quoted, "a b", 0, false);
    expect_column(quoted, "c\"d", 1, false);
    expect_column(quoted, "E", 2, false);
    expect_column(quoted, "h", 3, false);
    expect_column(quoted, "f", -1, false);
    const char *comments = "CREATE TABLE t(a, -- b, c\n /* d, ) */ e, UNIQUE (a), CHECK (e > 1))";
    expect_column(comments, "e", 1, false);
    expect_column(comments, "b", -1, false);
    expect_column(comments, "UNIQUE", -1, false);
    expect_column("CREATE TABLE t(a, b AS (a + 1), c, d AS (a) STORED, e)", "c", 1, false);
    expect_column("CREATE TABLE t(a, b AS (a + 1), c, d AS (a) STORED, e)", "e", 3, false);
    expect_column("CREATE TABLE t(a, b AS (a + 1), c)", "b", -1, false);
    expect_column("", "a", -1, false);
    expect_column("CREATE TABLE t", "a", -1, false);
    expect_column("CREATE TABLE t(", "a", -1, false);
    expect_column("CREATE TABLE t(a", "a", 0, false);
    expect_column("CREATE TABLE t(((((", "a", -1, false);
    expect_column("CREATE TABLE t(\"a", "a", -1, false);
}

static void test_rowid_alias(void **state) {
    (void)state;
    expect_column("CREATE TABLE t (x, id INTEGER PRIMARY KEY)", "id", 1, true);
    expect_column("CREATE TABLE t (id integer not null primary key autoincrement)", "id", 0, true);
    expect_column("CREATE TABLE t (id INTEGER, x, PRIMARY KEY (id))", "id", 0, true);
    expect_column("CREATE TABLE t (id INTEGER, x, CONSTRAINT c PRIMARY KEY (\"id\" DESC))", "id", 0, true);
    expect_column("CREATE TABLE t (id INTEGER, x, PRIMARY KEY (id, x))", "id", 0, false);
    expect_column("CREATE TABLE t (id INTEGER, x, PRIMARY KEY (x))", "id", 0, false);
    expect_column("CREATE TABLE t (id INTEGER PRIMARY KEY DESC)", "id", 0, false);
    expect_column("CREATE TABLE t (id INT PRIMARY KEY)", "id", 0, false);
    expect_column("CREATE TABLE t (id BIG INTEGER PRIMARY KEY)", "id", 0, false);
    expect_column("CREATE TABLE t (id INTEGER UNIQUE)", "id", 0, false);
}

static void test_words(void **state) {
    (void)state;
    assert_true(shf_sqlite_ddl_without_rowid("CREATE TABLE kv (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID"));
    assert_true(shf_sqlite_ddl_without_rowid("CREATE TABLE kv (k) STRICT, without /* x */ rowid"));
    assert_false(shf_sqlite_ddl_without_rowid("CREATE TABLE kv (k, v CHECK (WITHOUT ROWID))"));
    assert_false(shf_sqlite_ddl_without_rowid("CREATE TABLE kv (k, 'WITHOUT ROWID') -- WITHOUT ROWID"));
    assert_false(shf_sqlite_ddl_without_rowid("CREATE TABLE kv (k) WITHOUT"));
    assert_true(shf_sqlite_ddl_has_word("CREATE TABLE t (a PRIMARY KEY desc)", "DESC"));
    assert_false(shf_sqlite_ddl_has_word("CREATE TABLE t (descr, \"DESC\") -- DESC", "DESC"));
}

static void accept(const char *arguments, uint32_t dimension, enum shf_metric metric, uint32_t slots) {
    char sql[512];
    struct shf_vec0 vec = {0};
    struct shf_error *error = NULL;
    (void)snprintf(sql, sizeof sql, "CREATE VIRTUAL TABLE vec_index USING vec0(%s)", arguments);
    expect_ok(shf_vec0_ddl_parse(sql, &vec, &error), error);
    assert_int_equal(vec.dimension, dimension);
    assert_int_equal(vec.metric, metric);
    assert_int_equal(vec.chunk_slots, slots);
}

static void refuse(const char *arguments, shf_status code, const char *message) {
    char sql[512];
    struct shf_vec0 vec = {0};
    struct shf_error *error = NULL;
    (void)snprintf(sql, sizeof sql, "CREATE VIRTUAL TABLE vec_index USING vec0(%s)", arguments);
    expect_error(shf_vec0_ddl_parse(sql, &vec, &error), &error, code, message);
}

static void test_vec0_accepted(void **state) {
    (void)state;
    accept("embedding float[384] distance_metric=cosine", 384, SHF_METRIC_COSINE, 1024);
    accept("embedding float[4] distance_metric=l2", 4, SHF_METRIC_L2, 1024);
    accept("embedding float[4]", 4, SHF_METRIC_L2, 1024);
    accept("  embedding\n FLOAT [ 8192 ] distance_metric = COSINE ", 8192, SHF_METRIC_COSINE, 1024);
    accept("embedding F32[1]", 1, SHF_METRIC_L2, 1024);
    accept("embedding float32[1]", 1, SHF_METRIC_L2, 1024);
    accept("embedding float[3], chunk_size=8", 3, SHF_METRIC_L2, 8);
    accept("chunk_size = 4096, Embedding float[3] distance_metric=L2", 3, SHF_METRIC_L2, 4096);
}

static void test_vec0_refused_by_name(void **state) {
    (void)state;
    refuse("embedding int8[4]", SHF_E_UNSUPPORTED, "\"int8\" is a column of int8 vectors");
    refuse("embedding INT8[4] distance_metric=cosine", SHF_E_UNSUPPORTED, "int8 vectors");
    refuse("embedding bit[64]", SHF_E_UNSUPPORTED, "\"bit\" is a column of bit vectors");
    refuse("embedding double[4]", SHF_E_UNSUPPORTED, "\"double\" is an unknown vector type");
    refuse("embedding float[4] distance_metric=l1", SHF_E_UNSUPPORTED, "\"l1\" is a distance metric");
    refuse("embedding float[4], other float[4]", SHF_E_UNSUPPORTED, "\"other\" is another vector column");
    refuse("other float[4]", SHF_E_UNSUPPORTED, "\"other\" is another vector column");
    refuse("embedding float[4], +text text", SHF_E_UNSUPPORTED, "\"text\" is an auxiliary column");
    refuse("genre text, embedding float[4]", SHF_E_UNSUPPORTED, "\"genre\" is a metadata, partition or key column");
    refuse("user_id integer partition key, embedding float[4]", SHF_E_UNSUPPORTED, "\"user_id\" is a metadata");
    refuse("embedding float[4], other=1", SHF_E_UNSUPPORTED, "\"other\" is a table option");
}

static void test_vec0_malformed(void **state) {
    (void)state;
    refuse("embedding float[0]", SHF_E_INDEX, "a dimension of 1 to 8192 expected");
    refuse("embedding float[8193]", SHF_E_INDEX, "a dimension of 1 to 8192 expected");
    refuse("embedding float[99999999999999999999]", SHF_E_INDEX, "a dimension of 1 to 8192 expected");
    refuse("embedding float[4x]", SHF_E_INDEX, "a dimension of 1 to 8192 expected");
    refuse("embedding float[-4]", SHF_E_INDEX, "a dimension of 1 to 8192 expected");
    refuse("embedding float[4", SHF_E_INDEX, "\"]\" expected");
    refuse("embedding float[4] metric=l2", SHF_E_INDEX, "distance_metric expected");
    refuse("embedding float[4] distance_metric cosine", SHF_E_INDEX, "\"=\" expected");
    refuse("embedding float[4] distance_metric=manhattan", SHF_E_INDEX, "a distance metric expected");
    refuse("embedding", SHF_E_INDEX, "a type expected");
    refuse("", SHF_E_INDEX, "a name expected");
    refuse("chunk_size=8", SHF_E_INDEX, "a column of vectors before it expected");
    refuse("embedding float[4], chunk_size=0", SHF_E_INDEX, "a chunk size of 8 to 4096");
    refuse("embedding float[4], chunk_size=12", SHF_E_INDEX, "a chunk size of 8 to 4096");
    refuse("embedding float[4], chunk_size=4104", SHF_E_INDEX, "a chunk size of 8 to 4096");
    struct shf_vec0 vec = {0};
    struct shf_error *error = NULL;
    expect_error(shf_vec0_ddl_parse("CREATE TABLE vec_index (a)", &vec, &error), &error, SHF_E_INDEX, "USING vec0");
    expect_error(shf_vec0_ddl_parse("CREATE VIRTUAL TABLE vec_index USING fts5(a)", &vec, &error), &error, SHF_E_INDEX,
                 "at \"fts5\"");
    expect_error(shf_vec0_ddl_parse("CREATE VIRTUAL TABLE x USING vec0(embedding float[4]", &vec, &error), &error,
                 SHF_E_INDEX, "\")\" expected");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_rowid_alias),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_vec0_accepted),
        cmocka_unit_test(test_vec0_refused_by_name),
        cmocka_unit_test(test_vec0_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
