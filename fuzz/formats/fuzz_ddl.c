/* SQL texts of a schema: CREATE TABLE, and CREATE VIRTUAL TABLE ... USING vec0. */
#include "base/alloc.h"
#include "formats/sqlite.h"
#include "formats/vec0_ddl.h"
#include "fuzz_entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct shf_vec0 vec = {0};
    bool is_alias;
    char *sql = shf_strndup((const char *)data, size);
    if (!sql) return 0;
    (void)shf_sqlite_ddl_column(sql, "db_id", &is_alias);
    (void)shf_sqlite_ddl_column(sql, "k", NULL);
    (void)shf_sqlite_ddl_without_rowid(sql);
    (void)shf_sqlite_ddl_has_word(sql, "DESC");
    if (!shf_vec0_ddl_parse(sql, &vec, NULL) &&
        (vec.dimension < 1 || vec.dimension > SHF_LIMIT_DIMENSION || vec.chunk_slots % 8 != 0 || vec.chunk_slots == 0 ||
         vec.chunk_slots > SHF_LIMIT_CHUNK_SLOTS)) {
        __builtin_trap();
    }
    shf_free(sql);
    return 0;
}
