/* What the tests of loading and listing manifests share: four runs in a store that misbehaves when told, and one load. */
#ifndef SHF_TESTS_MANIFEST_RUN_H
#define SHF_TESTS_MANIFEST_RUN_H

#include "fake_store.h"
#include "snapshot/manifest_store.h"

#include <pthread.h>
#include <semaphore.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The four runs of the peer history-good; the snapshot lies at mem://shop/p, it was written at s3://fixtures. */
extern const char *const names[4];
extern const char *const run_ids[4];
extern const int64_t published_us[4];

extern shf_runtime *runtime;
extern struct fake_store *fake;
extern struct shf_location location;
extern char logged[8192];
extern unsigned log_lines;

struct run {
    struct shf_manifest_load load; /* first */
    sem_t finished;
    unsigned calls;
    pthread_t thread;
};

const char *key_of(unsigned run);
const char *ref_of(unsigned run);
void point_at_ref(const char *pointer, const char *ref);
void point_at(unsigned run);
void put_run(unsigned run, unsigned broken); /* how it is broken; 0 = whole */
int set_up(void **state);
int tear_down(void **state);
void prepare(struct run *run);
shf_status start_and_wait(struct run *run);
void clear(struct run *run);
void expect_served(struct run *run, unsigned number, unsigned fallback_attempts);
void expect_message(const struct run *run, const char *part);
/* What the store was asked for, in order: "GET key" or "LIST prefix" lines. */
const char *asked(unsigned count, ...);

#endif
