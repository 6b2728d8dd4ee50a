/* What the tests of src/io share: a runtime, a folder of their own, and requests that are waited for. */
#ifndef TESTS_UNIT_IO_SUPPORT_H
#define TESTS_UNIT_IO_SUPPORT_H

#include "io/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <semaphore.h>
#include <stdatomic.h>

#define SUPPORT_COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Two workers; log may be NULL. */
shf_runtime *support_runtime(shf_log_function *log, void *context);
void support_runtime_free(shf_runtime *runtime);
shf_runtime_stats support_stats(shf_runtime *runtime);

/* A fresh private directory; ends with support_remove, which frees the path too. */
char *support_directory(void);
void support_remove(char *directory);
/* The caller's to free. */
char *support_path(const char *format, ...) __attribute__((format(printf, 1, 2)));
void support_write(const char *path, const void *data, size_t size);
void support_write_text(const char *path, const char *text);
int support_open_new(const char *path); /* read and write, empty */
/* The bytes of fd are exactly these. */
void support_expect_file(int fd, const void *data, size_t size);
/* `size` bytes that differ from place to place; the caller's to free. */
uint8_t *support_pattern(size_t size, unsigned seed);

/* Forgets every setting of S3 and AWS that the caller of the test has; HOME is the directory. */
void support_environment(const char *home);
void support_setenv(const char *name, const char *value);

/* A request, and the moment of its end. */
struct support_call {
    struct shf_store_request request;
    sem_t ended;
    atomic_int done_count;
};
/* A request without limits, of a key: set the rest before it is submitted. */
void support_call_init(struct support_call *call, enum shf_store_verb verb, const char *key);
void support_submit(struct shf_store *store, struct support_call *call);
/* Waits for done; fails the test after half a minute. */
shf_status support_wait(struct support_call *call);
/* support_submit and support_wait. */
shf_status support_ask(struct shf_store *store, struct support_call *call);
void support_call_clear(struct support_call *call);

/*
 * A listing has the same names with versions and without, and of each object the version that a HEAD of it tells; of a
 * directory none. How many objects there are.
 */
size_t support_expect_versions(struct shf_store *store, const char *prefix);

/* The call failed so, with this in its message. */
void support_expect_failure(const struct support_call *call, shf_status status, const char *part);
/* The error is this one, with this in its message; frees it. */
void support_expect_error(struct shf_error *error, shf_status status, const char *part);

#endif
