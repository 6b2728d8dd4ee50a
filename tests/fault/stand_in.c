#include "fault/stand_in.h"

#include "base/text.h"
#include "integration/support.h"
#include "io/store_mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define MD5_BYTES 16
#define POINTER_KEY "snapshot/_CURRENT"

static struct {
    char *keys[WORLD_OBJECTS], *data[WORLD_OBJECTS];
    size_t sizes[WORLD_OBJECTS];
    char etags[WORLD_OBJECTS][2 * MD5_BYTES + 3]; /* as S3 makes them, once for all runs */
    struct shf_store *memory, *spoiling;
} stand_in;

static void make_etag(size_t object) {
    uint8_t md5[MD5_BYTES];
    unsigned length = MD5_BYTES;
    char *etag = stand_in.etags[object];
    assert_int_equal(EVP_Digest(stand_in.data[object], stand_in.sizes[object], md5, &length, EVP_md5(), NULL), 1);
    *etag = '"';
    shf_hex_encode(md5, sizeof md5, etag + 1);
    memcpy(etag + 1 + 2 * sizeof md5, "\"", 2);
}

void stand_in_setup(void) {
    for (size_t i = 0; i < WORLD_OBJECTS; i++) {
        char *path = support_path("%s/%s", world.snapshot, world_objects[i]);
        stand_in.keys[i] = support_path("snapshot/%s", world_objects[i]);
        stand_in.data[i] = support_read_file(path, &stand_in.sizes[i]);
        make_etag(i);
        free(path);
    }
}

void stand_in_teardown(void) {
    for (size_t i = 0; i < WORLD_OBJECTS; i++) {
        free(stand_in.keys[i]);
        free(stand_in.data[i]);
    }
}

void stand_in_begin(shf_runtime *runtime) {
    assert_int_equal(shf_store_mem_new(runtime, "s3://world", &stand_in.memory, NULL), SHF_OK);
    assert_int_equal(shf_store_fault_new(stand_in.memory, &stand_in.spoiling, NULL), SHF_OK);
    for (size_t i = 0; i < WORLD_OBJECTS; i++) {
        shf_status status =
            shf_store_mem_put(stand_in.memory, stand_in.keys[i], stand_in.data[i], stand_in.sizes[i], stand_in.etags[i]);
        assert_int_equal(status, SHF_OK);
    }
}

void stand_in_publish(enum world_pointer pointer) {
    const char *text = world_pointer_text(pointer);
    if (!stand_in.memory) return;
    if (text) {
        assert_int_equal(shf_store_mem_put(stand_in.memory, POINTER_KEY, text, strlen(text), NULL), SHF_OK);
    } else {
        (void)shf_store_mem_remove(stand_in.memory, POINTER_KEY);
    }
}

void stand_in_end(void) {
    if (!stand_in.memory) return;
    shf_store_release(stand_in.spoiling);
    shf_store_release(stand_in.memory);
    stand_in.spoiling = stand_in.memory = NULL;
}

struct shf_store *stand_in_store(void) {
    return stand_in.spoiling;
}

/* The names are the linker's. */
shf_status __real_shf_store_s3_new(shf_runtime *runtime, const char *bucket, const struct shf_s3_options *options,
                                   struct shf_store **out, struct shf_error **error);
shf_status __wrap_shf_store_s3_new(shf_runtime *runtime, const char *bucket, const struct shf_s3_options *options,
                                   struct shf_store **out, struct shf_error **error);

shf_status __wrap_shf_store_s3_new(shf_runtime *runtime, const char *bucket, const struct shf_s3_options *options,
                                   struct shf_store **out, struct shf_error **error) {
    if (!stand_in.spoiling) return __real_shf_store_s3_new(runtime, bucket, options, out, error);
    *out = shf_store_retain(stand_in.spoiling);
    return SHF_OK;
}
