/* Shards that are sound SQLite files and say something else than a shard does: schema, key-value table, vec0, ids, payloads. */
#include "hostile/hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct change {
    enum hostile_wish wish;
    const char *rule, *sql;
};

static void try_sql(enum hostile_wish wish, const char *rule, const char *sql, const char *argument,
                    size_t argument_size, const char *name) {
    struct bytes hostile = hostile_run_sql(hostile_sound(HOSTILE_SHARD, 4096), sql, argument, argument_size);
    hostile_try(HOSTILE_SHARD, wish, rule, hostile.data, hostile.size, "%.120s", name);
    free(hostile.data);
}

static void try_changes(const struct change *changes, size_t count) {
    for (size_t i = 0; i < count; i++)
        try_sql(changes[i].wish, changes[i].rule, changes[i].sql, NULL, 0, changes[i].sql);
}

/* `count` times the middle between the beginning and the end. */
static char *repeat(const char *begin, const char *middle, size_t count, const char *end, size_t *size) {
    size_t from = strlen(begin), part = strlen(middle), to = strlen(end);
    char *text = malloc(from + count * part + to + 1);
    memcpy(text, begin, from);
    for (size_t i = 0; i < count; i++) memcpy(text + from + i * part, middle, part);
    memcpy(text + from + count * part, end, to + 1);
    *size = from + count * part + to;
    return text;
}

static void try_long(enum hostile_wish wish, const char *rule, const char *sql, const char *begin, const char *middle,
                     size_t count, const char *end, const char *what) {
    char name[160];
    size_t size;
    char *text = repeat(begin, middle, count, end, &size);
    (void)snprintf(name, sizeof name, "%.90s: %s, %zu bytes", sql, what, size);
    try_sql(wish, rule, sql, text, size, name);
    free(text);
}

/* ---- schema and key-value table ---- */

#define KV "UPDATE sqlite_schema SET "
#define OF_KV " WHERE name = 'kv'"

static void schema_texts(void) {
    static const char set_sql[] = "UPDATE sqlite_schema SET sql = ?1 WHERE name = 'kv'";
    static const char set_name[] = "UPDATE sqlite_schema SET name = ?1 WHERE name = 'vec_payloads'";
    try_long(HOSTILE_FAILS, "text of a schema row", set_sql, "CREATE TABLE kv(k BLOB PRIMARY KEY, v BLOB ", "-- x\n",
             300000, ") WITHOUT ROWID", "comments");
    try_long(HOSTILE_MAY_DO, "text of a schema row", set_sql, "CREATE TABLE kv(k BLOB PRIMARY KEY, v BLOB DEFAULT ",
             "(", 100000, ") WITHOUT ROWID", "open parentheses");
    try_long(HOSTILE_MAY_DO, "text of a schema row", set_sql, "CREATE TABLE kv(k BLOB PRIMARY KEY, v BLOB CHECK(",
             "((1))+", 50000, "1)) WITHOUT ROWID", "nested parentheses");
    try_long(HOSTILE_MAY_DO, "text of a schema row", set_sql, "CREATE TABLE kv(k BLOB PRIMARY KEY, v BLOB", ", c",
             200000, ") WITHOUT ROWID", "columns");
    try_long(HOSTILE_FAILS, "text of a schema row", set_sql, "CREATE TABLE kv(k BLOB PRIMARY KEY, v BLOB, \"", "x",
             100000, "", "an open quote");
    try_long(HOSTILE_FAILS, "text of a schema row", set_sql, "CREATE TABLE kv(k BLOB PRIMARY KEY, v BLOB /* ", "*",
             100000, "", "an open comment");
    try_long(HOSTILE_MAY_DO, "name of a table", set_name, "", "n", 500000, "", "a name");
    try_sql(HOSTILE_FAILS, "a text has no NUL", set_sql, "CREATE\0TABLE", 12, "NUL in a schema text");
    try_sql(HOSTILE_FAILS, "a text is UTF-8", set_sql, "CREATE TABLE \xff\xfe kv", 18, "no UTF-8 in a schema text");
    try_sql(HOSTILE_FAILS, "a text is UTF-8", set_name, "\xed\xa0\x80", 3, "a surrogate in a name");
    try_sql(HOSTILE_FAILS, "at most 4096 schema rows",
            "WITH RECURSIVE n(i) AS (VALUES(0) UNION ALL SELECT i+1 FROM n WHERE i < 5000) INSERT INTO sqlite_schema "
            "SELECT 'table','t'||i,'t'||i,2,'CREATE TABLE t(a)' FROM n",
            NULL, 0, "5000 schema rows");
    try_sql(HOSTILE_MAY_DO, "at most 4096 schema rows",
            "WITH RECURSIVE n(i) AS (VALUES(0) UNION ALL SELECT i+1 FROM n WHERE i < 4000) INSERT INTO sqlite_schema "
            "SELECT 'table','t'||i,'t'||i,2,'CREATE TABLE t(a)' FROM n",
            NULL, 0, "4000 schema rows");
}

void hostile_tables(void **state) {
    static const struct change changes[] = {
        {HOSTILE_FAILS, "there is a table kv", "DELETE FROM sqlite_schema WHERE name = 'kv'"},
        {HOSTILE_FAILS, "there is a table kv", KV "name = 'kw'" OF_KV},
        {HOSTILE_FAILS, "kv is a table", KV "type = 'view'" OF_KV},
        {HOSTILE_FAILS, "kv is a table", KV "type = 'index'" OF_KV},
        {HOSTILE_FAILS, "kv is a table", KV "type = 5" OF_KV},
        {HOSTILE_FAILS, "kv is a table", KV "type = NULL" OF_KV},
        {HOSTILE_FAILS, "a name is a text", KV "name = NULL" OF_KV},
        {HOSTILE_FAILS, "a name is a text", KV "name = x'6b76'" OF_KV},
        {HOSTILE_FAILS, "a root page", KV "rootpage = 0" OF_KV},
        {HOSTILE_FAILS, "a root page", KV "rootpage = -1" OF_KV},
        {HOSTILE_FAILS, "a root page", KV "rootpage = 1" OF_KV},
        {HOSTILE_FAILS, "a root page", KV "rootpage = 100000" OF_KV},
        {HOSTILE_FAILS, "a root page", KV "rootpage = 4294967298" OF_KV},
        {HOSTILE_FAILS, "a root page", KV "rootpage = 9223372036854775807" OF_KV},
        {HOSTILE_FAILS, "a root page", KV "rootpage = 'two'" OF_KV},
        {HOSTILE_FAILS, "a root page", KV "rootpage = NULL" OF_KV},
        {HOSTILE_FAILS, "a root page", KV "rootpage = 2.5" OF_KV},
        {HOSTILE_FAILS, "a root page", KV "rootpage = x'02'" OF_KV},
        {HOSTILE_FAILS, "the root of another table",
         KV "rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'vec_payloads')" OF_KV},
        {HOSTILE_FAILS, "the statement of kv", KV "sql = NULL" OF_KV},
        {HOSTILE_FAILS, "the statement of kv", KV "sql = ''" OF_KV},
        {HOSTILE_FAILS, "the statement of kv", KV "sql = 5" OF_KV},
        {HOSTILE_FAILS, "the statement of kv", KV "sql = x'00'" OF_KV},
        {HOSTILE_FAILS, "the statement of kv", KV "sql = 'CREATE TABLE kv (k BLOB PRIMARY KEY, v BLOB)'" OF_KV},
        {HOSTILE_FAILS, "the statement of kv",
         KV "sql = 'CREATE TABLE kv (v BLOB, k BLOB PRIMARY KEY) WITHOUT ROWID'" OF_KV},
        {HOSTILE_FAILS, "the statement of kv",
         KV "sql = 'CREATE TABLE kv (k BLOB PRIMARY KEY DESC, v BLOB) WITHOUT ROWID'" OF_KV},
        {HOSTILE_FAILS, "the statement of kv",
         KV "sql = 'CREATE TABLE kv (a, k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID'" OF_KV},
        {HOSTILE_FAILS, "the statement of kv", KV "sql = 'CREATE TABLE kv'" OF_KV},
        {HOSTILE_FAILS, "the statement of kv", KV "sql = '))))((((WITHOUT ROWID'" OF_KV},
        {HOSTILE_MAY_DO, "one table kv", "INSERT INTO sqlite_schema SELECT * FROM sqlite_schema"},
        {HOSTILE_MAY_DO, "one table kv", "INSERT INTO sqlite_schema VALUES ('table','KV','KV',2,'CREATE TABLE KV(k)')"},
        {HOSTILE_MAY_DO, "a row of five columns", "INSERT INTO sqlite_schema VALUES (NULL,NULL,NULL,NULL,NULL)"},
        {HOSTILE_MAY_DO,
         "a trigger is not run", "INSERT INTO sqlite_schema VALUES ('trigger','t','kv',0,'CREATE TRIGGER t AFTER INSERT ON kv BEGIN SELECT 1; END')"},
        {HOSTILE_MAY_DO, "an empty table", "DELETE FROM kv"},
        {HOSTILE_MAY_DO, "a value is a blob or a text", "UPDATE kv SET v = 5"},
        {HOSTILE_MAY_DO, "a value is a blob or a text", "UPDATE kv SET v = 2.5"},
        {HOSTILE_MAY_DO, "a value is a blob or a text", "UPDATE kv SET v = 'a text'"},
        {HOSTILE_MAY_DO, "a value is a blob or a text", "UPDATE kv SET v = x''"},
        {HOSTILE_FAILS, "there is a value",
         "CREATE TABLE other (k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID; INSERT INTO other SELECT k, NULL FROM kv;" KV
         "rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'other')" OF_KV},
        {HOSTILE_FAILS, "there is a value",
         "CREATE TABLE other (k BLOB PRIMARY KEY) WITHOUT ROWID; INSERT INTO other SELECT k FROM kv;" KV
         "rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'other')" OF_KV},
        {HOSTILE_MAY_DO, "a key is a blob",
         "INSERT INTO kv VALUES ('key-00000', x'01'), ('', x'02'), (5, x'03'), (2.5, x'04'), (x'', x'05')"},
        {HOSTILE_MAY_DO, "a row has two columns",
         "CREATE TABLE other (k BLOB PRIMARY KEY, v, a, b, c) WITHOUT ROWID; INSERT INTO other SELECT k, v, k, 1, 2 "
         "FROM kv;" KV "rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'other')" OF_KV},
        {HOSTILE_MAY_DO, "keys are in order of bytes",
         "CREATE TABLE other (k TEXT COLLATE NOCASE PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO other SELECT upper(k), "
         "v FROM kv;" KV "rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'other')" OF_KV},
    };
    (void)state;
    hostile_use_page_size(4096);
    try_changes(changes, sizeof changes / sizeof changes[0]);
    schema_texts();
    hostile_count("schema and kv");
}

/* ---- vec0 ---- */

#define DDL(text)                                                                                                      \
    "UPDATE sqlite_schema SET sql = 'CREATE VIRTUAL TABLE vec_index USING vec0(" text ")' WHERE name = 'vec_index'"

static const struct change declarations[] = {
    {HOSTILE_FAILS, "dimension", DDL("embedding float[0] distance_metric=l2, chunk_size=64")},
    {HOSTILE_FAILS, "dimension", DDL("embedding float[] distance_metric=l2, chunk_size=64")},
    {HOSTILE_FAILS, "dimension", DDL("embedding float[-4] distance_metric=l2, chunk_size=64")},
    {HOSTILE_FAILS, "dimension", DDL("embedding float[3] distance_metric=l2, chunk_size=64")},
    {HOSTILE_FAILS, "dimension", DDL("embedding float[5] distance_metric=l2, chunk_size=64")},
    {HOSTILE_FAILS, "dimension", DDL("embedding float[8193] distance_metric=l2, chunk_size=64")},
    {HOSTILE_FAILS, "dimension", DDL("embedding float[4294967300] distance_metric=l2, chunk_size=64")},
    {HOSTILE_FAILS, "dimension", DDL("embedding float[99999999999999999999] distance_metric=l2, chunk_size=64")},
    {HOSTILE_FAILS, "dimension", DDL("embedding float[4.0] distance_metric=l2, chunk_size=64")},
    {HOSTILE_FAILS, "dimension", DDL("embedding float[0x4] distance_metric=l2, chunk_size=64")},
    {HOSTILE_FAILS, "dimension", DDL("embedding float[4] [4] distance_metric=l2, chunk_size=64")},
    {HOSTILE_FAILS, "type of the column", DDL("embedding int8[4] distance_metric=l2, chunk_size=64")},
    {HOSTILE_FAILS, "type of the column", DDL("embedding bit[8], chunk_size=64")},
    {HOSTILE_FAILS, "type of the column", DDL("embedding double[4] distance_metric=l2, chunk_size=64")},
    {HOSTILE_FAILS, "type of the column", DDL("embedding text")},
    {HOSTILE_FAILS, "metric", DDL("embedding float[4] distance_metric=l1, chunk_size=64")},
    {HOSTILE_FAILS, "metric", DDL("embedding float[4] distance_metric=hamming, chunk_size=64")},
    {HOSTILE_FAILS, "metric", DDL("embedding float[4] distance_metric=cosine, chunk_size=64")},
    {HOSTILE_FAILS, "metric", DDL("embedding float[4] distance_metric=, chunk_size=64")},
    {HOSTILE_FAILS, "metric", DDL("embedding float[4] distance_metric, chunk_size=64")},
    {HOSTILE_FAILS, "chunk size", DDL("embedding float[4] distance_metric=l2, chunk_size=0")},
    {HOSTILE_FAILS, "chunk size", DDL("embedding float[4] distance_metric=l2, chunk_size=7")},
    {HOSTILE_FAILS, "chunk size", DDL("embedding float[4] distance_metric=l2, chunk_size=-64")},
    {HOSTILE_FAILS, "chunk size", DDL("embedding float[4] distance_metric=l2, chunk_size=8")},
    {HOSTILE_FAILS, "chunk size", DDL("embedding float[4] distance_metric=l2, chunk_size=4096")},
    {HOSTILE_FAILS, "chunk size", DDL("embedding float[4] distance_metric=l2, chunk_size=4104")},
    {HOSTILE_FAILS, "chunk size", DDL("embedding float[4] distance_metric=l2, chunk_size=4294967360")},
    {HOSTILE_FAILS, "chunk size", DDL("embedding float[4] distance_metric=l2")},
    {HOSTILE_FAILS, "other columns", DDL("embedding float[4] distance_metric=l2, second float[4], chunk_size=64")},
    {HOSTILE_FAILS, "other columns", DDL("embedding float[4] distance_metric=l2, embedding float[4], chunk_size=64")},
    {HOSTILE_FAILS, "other columns", DDL("other float[4] distance_metric=l2, chunk_size=64")},
    {HOSTILE_FAILS, "other columns", DDL("embedding float[4] distance_metric=l2, +aux text, chunk_size=64")},
    {HOSTILE_FAILS, "other columns", DDL("embedding float[4] distance_metric=l2, p text partition key, chunk_size=64")},
    {HOSTILE_FAILS, "other columns", DDL("id text primary key, embedding float[4] distance_metric=l2, chunk_size=64")},
    {HOSTILE_FAILS, "other options", DDL("embedding float[4] distance_metric=l2, chunk_size=64, unknown=1")},
    {HOSTILE_FAILS, "the statement of vec_index", DDL("")},
    {HOSTILE_FAILS, "the statement of vec_index", DDL("chunk_size=64")},
    {HOSTILE_FAILS, "the statement of vec_index", DDL("((((((((((((")},
    {HOSTILE_FAILS, "the statement of vec_index", DDL(",,,,")},
    {HOSTILE_FAILS, "the statement of vec_index", DDL("\"embedding")},
    {HOSTILE_FAILS, "the statement of vec_index", "UPDATE sqlite_schema SET sql = NULL WHERE name = 'vec_index'"},
    {HOSTILE_FAILS, "the statement of vec_index", "UPDATE sqlite_schema SET sql = 'vec0' WHERE name = 'vec_index'"},
    {HOSTILE_FAILS, "the statement of vec_index",
     "UPDATE sqlite_schema SET sql = 'CREATE VIRTUAL TABLE vec_index USING fts5(embedding)' WHERE name = 'vec_index'"},
    {HOSTILE_FAILS, "there is a vec_index", "DELETE FROM sqlite_schema WHERE name = 'vec_index'"},
    {HOSTILE_FAILS, "tables beside vec_index", "DELETE FROM sqlite_schema WHERE name = 'vec_index_chunks'"},
    {HOSTILE_FAILS, "tables beside vec_index", "DELETE FROM sqlite_schema WHERE name = 'vec_index_vector_chunks00'"},
    {HOSTILE_MAY_DO, "tables beside vec_index", "DELETE FROM sqlite_schema WHERE name = 'vec_index_rowids'"},
    {HOSTILE_MAY_DO, "tables beside vec_index", "DELETE FROM sqlite_schema WHERE name = 'vec_id_map'"},
    {HOSTILE_MAY_DO, "tables beside vec_index", "DELETE FROM sqlite_schema WHERE name = 'vec_payloads'"},
    {HOSTILE_FAILS, "tables beside vec_index",
     "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'kv') WHERE name = "
     "'vec_index_chunks'"},
    {HOSTILE_FAILS, "tables beside vec_index",
     "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'vec_payloads') WHERE name "
     "= "
     "'vec_index_chunks'"},
};

#define CHUNKS "UPDATE vec_index_chunks SET "
#define VECTORS "UPDATE vec_index_vector_chunks00 SET "

static const struct change blobs[] = {
    {HOSTILE_FAILS, "size of the validity bitmap", CHUNKS "validity = x''"},
    {HOSTILE_FAILS, "size of the validity bitmap", CHUNKS "validity = zeroblob(7)"},
    {HOSTILE_FAILS, "size of the validity bitmap", CHUNKS "validity = zeroblob(9)"},
    {HOSTILE_FAILS, "size of the validity bitmap", CHUNKS "validity = zeroblob(8000000)"},
    {HOSTILE_FAILS, "the validity bitmap is a blob", CHUNKS "validity = '12345678'"},
    {HOSTILE_FAILS, "the validity bitmap is a blob", CHUNKS "validity = 8"},
    {HOSTILE_FAILS, "size of the rowids", CHUNKS "rowids = x''"},
    {HOSTILE_FAILS, "size of the rowids", CHUNKS "rowids = zeroblob(511)"},
    {HOSTILE_FAILS, "size of the rowids", CHUNKS "rowids = zeroblob(513)"},
    {HOSTILE_FAILS, "the rowids are a blob", CHUNKS "rowids = 1.5"},
    {HOSTILE_FAILS, "size of the vectors", VECTORS "vectors = x''"},
    {HOSTILE_FAILS, "size of the vectors", VECTORS "vectors = zeroblob(1023)"},
    {HOSTILE_FAILS, "size of the vectors", VECTORS "vectors = zeroblob(1025)"},
    {HOSTILE_FAILS, "size of the vectors", VECTORS "vectors = zeroblob(2048)"},
    {HOSTILE_FAILS, "the vectors are a blob", VECTORS "vectors = printf('%01024d', 0)"},
    {HOSTILE_FAILS, "the vectors are a blob", VECTORS "vectors = 0"},
    {HOSTILE_FAILS, "the vectors are there", "DELETE FROM vec_index_vector_chunks00"},
    {HOSTILE_FAILS, "the vectors are there", VECTORS "_rowid_ = 7"},
    {HOSTILE_FAILS, "the vectors are there", "UPDATE vec_index_chunks SET chunk_id = -9223372036854775808"},
    {HOSTILE_FAILS, "the vectors are there",
     "INSERT INTO vec_index_chunks SELECT 9223372036854775807, size, validity, rowids FROM vec_index_chunks"},
    {HOSTILE_FAILS, "no more chunks than the file has room for",
     "WITH RECURSIVE n(i) AS (VALUES(2) UNION ALL SELECT i+1 FROM n WHERE i < 2000) INSERT INTO vec_index_chunks "
     "SELECT i, size, validity, rowids FROM n, vec_index_chunks"},
    {HOSTILE_MAY_DO, "chunks", "DELETE FROM vec_index_chunks"},
    {HOSTILE_MAY_DO, "live rows", CHUNKS "validity = zeroblob(8)"},
    {HOSTILE_MAY_DO, "live rows", CHUNKS "validity = x'ffffffffffffffff'"},
    {HOSTILE_MAY_DO, "live rows", CHUNKS "validity = x'0100000000000080'"},
    {HOSTILE_MAY_DO, "rowids", CHUNKS "rowids = zeroblob(512)"},
    {HOSTILE_MAY_DO, "rowids", CHUNKS "rowids = (SELECT unhex FROM (SELECT zeroblob(511) || x'80' AS unhex))"},
    {HOSTILE_MAY_DO, "size column", CHUNKS "size = 9223372036854775807"},
    {HOSTILE_MAY_DO, "size column", CHUNKS "size = -1"},
    {HOSTILE_MAY_DO, "columns", "ALTER TABLE vec_index_chunks ADD COLUMN more"},
    {HOSTILE_FAILS, "columns",
     "CREATE TABLE few (chunk_id INTEGER PRIMARY KEY, size); INSERT INTO few VALUES (1, 64);"
     "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'few') "
     "WHERE name = 'vec_index_chunks'"},
};

/* ---- ids and payloads ---- */

#define SET_ID "UPDATE vec_id_map SET original_id = ?1"
#define SET_PAYLOAD "UPDATE vec_payloads SET payload = ?1 WHERE rowid % 3 = 0"

static const struct change ids[] = {
    {HOSTILE_FAILS, "an id is JSON", "UPDATE vec_id_map SET original_id = ''"},
    {HOSTILE_FAILS, "an id is JSON", "UPDATE vec_id_map SET original_id = '{'"},
    {HOSTILE_FAILS, "an id is JSON", "UPDATE vec_id_map SET original_id = '[]'"},
    {HOSTILE_FAILS, "an id is JSON", "UPDATE vec_id_map SET original_id = 'null'"},
    {HOSTILE_FAILS, "an id is JSON", "UPDATE vec_id_map SET original_id = '{}'"},
    {HOSTILE_FAILS, "an id is JSON", "UPDATE vec_id_map SET original_id = 5"},
    {HOSTILE_FAILS, "an id is JSON", "UPDATE vec_id_map SET original_id = 2.5"},
    {HOSTILE_FAILS, "an id is JSON", "UPDATE vec_id_map SET original_id = x'00'"},
    {HOSTILE_FAILS, "an id has 64 bits",
     "UPDATE vec_id_map SET original_id = '{\"v\": 9223372036854775808, \"t\": \"int\"}'"},
    {HOSTILE_FAILS, "an id has 64 bits", "UPDATE vec_id_map SET original_id = '{\"v\": 1e400, \"t\": \"int\"}'"},
    {HOSTILE_FAILS, "an id is an integer", "UPDATE vec_id_map SET original_id = '{\"v\": 1.5, \"t\": \"int\"}'"},
    {HOSTILE_FAILS, "an id is an integer", "UPDATE vec_id_map SET original_id = '{\"v\": NaN, \"t\": \"int\"}'"},
    {HOSTILE_FAILS, "an id is an integer", "UPDATE vec_id_map SET original_id = '{\"v\": \"1\", \"t\": \"int\"}'"},
    {HOSTILE_FAILS, "an id is a text", "UPDATE vec_id_map SET original_id = '{\"v\": {\"v\": 1}, \"t\": \"str\"}'"},
    {HOSTILE_FAILS, "an id is a text", "UPDATE vec_id_map SET original_id = '{\"v\": [1], \"t\": \"str\"}'"},
    {HOSTILE_FAILS, "an id is JSON alone", "UPDATE vec_id_map SET original_id = original_id || original_id"},
    {HOSTILE_FAILS, "an id is UTF-8",
     "UPDATE vec_id_map SET original_id = CAST(x'7b2276223a22ff222c2274223a22737472227d' AS TEXT)"},
    {HOSTILE_MAY_DO, "ids", "DELETE FROM vec_id_map"},
    {HOSTILE_MAY_DO, "ids", "UPDATE vec_id_map SET original_id = '{\"v\": 5, \"t\": \"int\"}'"},
    {HOSTILE_MAY_DO, "ids", "UPDATE vec_id_map SET original_id = '{\"v\": \"\\u0000\", \"t\": \"str\"}'"},
    {HOSTILE_MAY_DO, "ids", "UPDATE vec_id_map SET original_id = '{\"v\": \"\\ud800\", \"t\": \"str\"}'"},
    {HOSTILE_MAY_DO, "a payload is a text", "UPDATE vec_payloads SET payload = 5"},
    {HOSTILE_MAY_DO, "a payload is a text", "UPDATE vec_payloads SET payload = 2.5"},
    {HOSTILE_FAILS, "a payload is UTF-8", "UPDATE vec_payloads SET payload = x'ff'"},
    {HOSTILE_MAY_DO, "payloads", "UPDATE vec_payloads SET payload = x'7b7d'"},
    {HOSTILE_MAY_DO, "payloads", "UPDATE vec_payloads SET payload = ''"},
    {HOSTILE_MAY_DO, "payloads", "DELETE FROM vec_payloads"},
};

/* JSON that costs more than it is worth. A payload is handed on as it is: nobody parses it here. */
static void json_bombs(void) {
    static const char rule[] = "JSON of a bounded depth and size";
    try_long(HOSTILE_FAILS, rule, SET_ID, "{\"v\": ", "[", 250, "1", "255 open brackets");
    try_long(HOSTILE_FAILS, rule, SET_ID, "{\"v\": ", "[", 100000, "", "open brackets");
    try_long(HOSTILE_FAILS, rule, SET_ID, "", "{\"v\":", 20000, "", "open objects");
    try_long(HOSTILE_FAILS, rule, SET_ID, "{\"v\": ", "9", 100000, ", \"t\": \"int\"}", "digits");
    try_long(HOSTILE_FAILS, rule, SET_ID, "{\"v\": -1", "0", 30, ", \"t\": \"int\"}", "digits");
    try_long(HOSTILE_FAILS, rule, SET_ID, "{\"v\": 1e", "9", 100000, ", \"t\": \"int\"}", "digits of an exponent");
    try_long(HOSTILE_MAY_DO, rule, SET_ID, "{\"v\": \"", "i", 20000, "\", \"t\": \"str\"}", "a long id");
    try_long(HOSTILE_FAILS, "an id has at most 128 KiB", SET_ID, "{\"v\": \"", "i", 131072, "\", \"t\": \"str\"}",
             "a longer id");
    try_long(HOSTILE_MAY_DO, rule, SET_ID, "{\"v\": \"", "\\u00e9", 5000, "\", \"t\": \"str\"}", "escapes");
    try_long(HOSTILE_FAILS, rule, SET_ID " WHERE internal_id = 3", "{\"v\": [", "[],", 1000000, "[]], \"t\": \"int\"}",
             "a million lists");
    try_long(HOSTILE_FAILS, rule, SET_ID " WHERE internal_id = 3", "{\"v\": ", " ", 18000000, "1, \"t\": \"int\"}",
             "blanks");
    try_long(HOSTILE_MAY_DO, rule, SET_ID " WHERE internal_id = 3", "{", "\"v\":1,", 30000, "\"t\":\"int\"}",
             "members of one name");
    try_long(HOSTILE_MAY_DO, rule, SET_PAYLOAD, "", "[", 200000, "", "open brackets");
    try_long(HOSTILE_MAY_DO, rule, SET_PAYLOAD, "", "{\"a\":", 100000, "", "open objects");
    try_long(HOSTILE_MAY_DO, rule, SET_PAYLOAD, "1", "0", 500000, "", "digits");
}

void hostile_vectors(void **state) {
    (void)state;
    hostile_use_page_size(4096);
    try_changes(declarations, sizeof declarations / sizeof declarations[0]);
    try_changes(blobs, sizeof blobs / sizeof blobs[0]);
    hostile_count("vec0");
    try_changes(ids, sizeof ids / sizeof ids[0]);
    json_bombs();
    hostile_count("ids and payloads");
}
