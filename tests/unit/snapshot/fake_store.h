/* A store whose objects, failures and pace a test decides, and which writes down what it was asked. */
#ifndef TESTS_SNAPSHOT_FAKE_STORE_H
#define TESTS_SNAPSHOT_FAKE_STORE_H

#include <stdatomic.h>
#include "io/store.h"

#define FAKE_OBJECTS 64u

struct fake_store {
    struct shf_store store; /* first */
    struct fake_object {
        char *key;
        uint8_t *data;
        size_t size;
    } objects[FAKE_OBJECTS];
    size_t object_count;

    /* The fail_at-th request (from 1; 0 = none) and later ones up to fail_last end with fail_status. */
    unsigned fail_at, fail_last;
    shf_status fail_status;
    unsigned stall_at; /* the request that is answered only when it is cancelled or its time is over */
    void (*before)(struct fake_store *fake, unsigned number); /* loop thread: before a request is answered */

    atomic_uint requests;
    char asked[4096]; /* "GET key\n" or "LIST key\n" for each */
};

struct fake_store *fake_store_new(shf_runtime *runtime);
void fake_store_free(struct fake_store *fake);
void fake_store_put(struct fake_store *fake, const char *key, const void *data, size_t size);
void fake_store_put_text(struct fake_store *fake, const char *key, const char *text);
void fake_store_remove(struct fake_store *fake, const char *key);
/* Forgets what was asked and every failure ordered. */
void fake_store_rewind(struct fake_store *fake);

#endif
