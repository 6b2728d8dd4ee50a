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

struct kept {
    char *key, *data;
    size_t size;
    char etag[2 * MD5_BYTES + 3]; /* as S3 makes them, once for all runs */
};
static struct kept *kept[WORLD_KINDS]; /* each as many as the world has objects */
static struct shf_store *memory, *spoiling;

static void make_etag(struct kept *object) {
    uint8_t md5[MD5_BYTES];
    unsigned length = MD5_BYTES;
    char *etag = object->etag;
    assert_int_equal(EVP_Digest(object->data, object->size, md5, &length, EVP_md5(), NULL), 1);
    *etag = '"';
    shf_hex_encode(md5, sizeof md5, etag + 1);
    memcpy(etag + 1 + 2 * sizeof md5, "\"", 2);
}

void stand_in_setup(void) {
    for (int kind = 0; kind < WORLD_KINDS; kind++) {
        const struct world *from = world_of((enum world_kind)kind);
        kept[kind] = calloc(from->object_count, sizeof *kept[kind]);
        for (size_t i = 0; i < from->object_count; i++) {
            struct kept *object = &kept[kind][i];
            char *path = support_path("%s/%s", from->snapshot, from->objects[i]);
            object->key = support_path("snapshot/%s", from->objects[i]);
            object->data = support_read_file(path, &object->size);
            make_etag(object);
            free(path);
        }
    }
}

void stand_in_teardown(void) {
    for (int kind = 0; kind < WORLD_KINDS; kind++) {
        for (size_t i = 0; i < world_of((enum world_kind)kind)->object_count; i++) {
            free(kept[kind][i].key);
            free(kept[kind][i].data);
        }
        free(kept[kind]);
    }
}

void stand_in_begin(shf_runtime *runtime) {
    assert_int_equal(shf_store_mem_new(runtime, "s3://world", &memory, NULL), SHF_OK);
    assert_int_equal(shf_store_fault_new(memory, &spoiling, NULL), SHF_OK);
    for (size_t i = 0; i < world->object_count; i++) {
        const struct kept *object = &kept[world->kind][i];
        assert_int_equal(shf_store_mem_put(memory, object->key, object->data, object->size, object->etag), SHF_OK);
    }
}

void stand_in_publish(enum world_pointer pointer) {
    const char *text = world_pointer_text(pointer);
    if (!memory) return;
    if (text) {
        assert_int_equal(shf_store_mem_put(memory, POINTER_KEY, text, strlen(text), NULL), SHF_OK);
    } else {
        (void)shf_store_mem_remove(memory, POINTER_KEY);
    }
}

void stand_in_end(void) {
    if (!memory) return;
    shf_store_release(spoiling);
    shf_store_release(memory);
    spoiling = memory = NULL;
}

struct shf_store *stand_in_store(void) {
    return spoiling;
}

/* The names are the linker's. */
shf_status __real_shf_store_s3_new(shf_runtime *runtime, const char *bucket, const struct shf_s3_options *options,
                                   struct shf_store **out, struct shf_error **error);
shf_status __wrap_shf_store_s3_new(shf_runtime *runtime, const char *bucket, const struct shf_s3_options *options,
                                   struct shf_store **out, struct shf_error **error);

shf_status __wrap_shf_store_s3_new(shf_runtime *runtime, const char *bucket, const struct shf_s3_options *options,
                                   struct shf_store **out, struct shf_error **error) {
    if (!spoiling) return __real_shf_store_s3_new(runtime, bucket, options, out, error);
    *out = shf_store_retain(spoiling);
    return SHF_OK;
}
