/* What the tests of src/formats share: files, digests, databases made by libsqlite3, seeded randomness. */
#ifndef SHF_TESTS_FORMATS_SUPPORT_H
#define SHF_TESTS_FORMATS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <sqlite3.h>

#include "base/error.h"

/* Path below the shared fixtures; NULL, with a SKIP line on stderr, when they are not there. Static storage. */
const char *shared_path(const char *relative);

/* Whole file; a name ending in .zst is decompressed. The size is exact, so that ASan sees a read past the end. Fails the test. */
uint8_t *load_file(const char *path, size_t *size);
bool file_exists(const char *path);

/* Lines of a JSON-lines file, as a JSON array. Fails the test. */
json_t *load_jsonl(const char *path);

struct digest {
    void *context;
};
void digest_begin(struct digest *digest);
void digest_add(struct digest *digest, const void *data, size_t size);
void digest_end(struct digest *digest, char hex[65]); /* SHA-256, lower case */

/* A database in memory with this page size and reserved bytes a page; fails the test on any error. */
sqlite3 *db_new(int page_size, int reserved);
void db_run(sqlite3 *db, const char *sql);
/* The bytes of the database, of exact size; closes it. */
uint8_t *db_bytes(sqlite3 *db, size_t *size);

uint64_t random_next(uint64_t *seed);
void random_fill(uint64_t *seed, void *out, size_t size);

/* Bytes from hex; fails the test. free() it. */
uint8_t *from_hex(const char *hex, size_t *size);

/* The call fails with this code and its message has this text. Frees the error. */
void expect_error(shf_status status, struct shf_error **error, shf_status code, const char *text);
/* The call succeeded; prints the message otherwise. */
void expect_ok(shf_status status, struct shf_error *error);

/* Looks a key up in every way that there is, which must agree. */
struct shf_kv;
struct shf_kv_value;
shf_status look_up(const struct shf_kv *kv, const void *key, size_t key_size, bool *found, struct shf_kv_value *value,
                   struct shf_error **error);

#endif
