#include "fake_store.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fake_object *find(struct fake_store *fake, const char *key) {
    for (size_t i = 0; i < fake->object_count; i++) {
        if (strcmp(fake->objects[i].key, key) == 0) return &fake->objects[i];
    }
    return NULL;
}

static void fail(struct shf_store_request *request, shf_status status) {
    request->status = shf_error_set(&request->error, status, "fake store, key %s: status %d", request->key, status);
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void list(struct fake_store *fake, struct shf_store_request *request) {
    size_t prefix = strlen(request->key);
    request->names = shf_alloc_zero(FAKE_OBJECTS, sizeof *request->names);
    if (!request->names) {
        fail(request, SHF_E_NO_MEMORY);
        return;
    }
    for (size_t i = 0; i < fake->object_count; i++) {
        const char *key = fake->objects[i].key;
        if (strncmp(key, request->key, prefix) != 0) continue;
        size_t size = strcspn(key + prefix, "/");
        if (key[prefix + size] == '/') size++;
        bool known = false;
        for (size_t n = 0; n < request->name_count; n++) {
            known |= strlen(request->names[n]) == size && memcmp(request->names[n], key + prefix, size) == 0;
        }
        if (known) continue;
        char *name = shf_strndup(key + prefix, size);
        if (!name) {
            shf_store_request_clear(request);
            fail(request, SHF_E_NO_MEMORY);
            return;
        }
        request->names[request->name_count++] = name;
    }
    qsort(request->names, request->name_count, sizeof *request->names, by_bytes);
}

static void get(struct fake_store *fake, struct shf_store_request *request) {
    const struct fake_object *object = find(fake, request->key);
    if (!object) {
        fail(request, SHF_E_NOT_FOUND);
        return;
    }
    if (object->size > request->max_bytes) {
        fail(request, SHF_E_LIMIT);
        return;
    }
    request->body = shf_buf_new(object->size);
    if (!request->body) {
        fail(request, SHF_E_NO_MEMORY);
        return;
    }
    memcpy(request->body->data, object->data, object->size);
    request->body_size = request->object_size = object->size;
}

static void answer(struct shf_task *task) {
    struct shf_store_request *request = SHF_CONTAINER(task, struct shf_store_request, task);
    struct fake_store *fake = request->internal;
    unsigned number = fake->requests;
    if (shf_cancel_requested(request->cancel)) {
        fail(request, SHF_E_CANCELLED);
    } else if (shf_deadline_over(request->deadline_ns)) {
        fail(request, SHF_E_DEADLINE);
    } else if (number == fake->stall_at) {
        shf_rt_post_loop(fake->store.runtime, task); /* looks again at once */
        return;
    } else if (fake->fail_at && number >= fake->fail_at && number <= fake->fail_last) {
        fail(request, fake->fail_status);
    } else if (request->verb == SHF_STORE_LIST) {
        list(fake, request);
    } else {
        get(fake, request);
    }
    request->done(request);
}

static void submit(struct shf_store *store, struct shf_store_request *request) {
    struct fake_store *fake = (struct fake_store *)(void *)store;
    /* What the interface demands of every caller. */
    assert(request->key && request->done && request->body_fd == -1 && request->key[0] != '/');
    assert(!request->error && !request->body && !request->names);
    assert(request->verb == SHF_STORE_GET ? request->max_bytes > 0 : request->verb == SHF_STORE_LIST);
    fake->requests++;
    size_t used = strlen(fake->asked);
    (void)snprintf(fake->asked + used, sizeof fake->asked - used, "%s %s\n",
                   request->verb == SHF_STORE_LIST ? "LIST" : "GET", request->key);
    if (fake->before) fake->before(fake, fake->requests);
    request->internal = fake;
    request->task.run = answer;
    shf_rt_post_loop(store->runtime, &request->task);
}

static void destroy(struct shf_store *store) { (void)store; }

static const struct shf_store_class fake_class = {.name = "fake", .submit = submit, .destroy = destroy};

struct fake_store *fake_store_new(shf_runtime *runtime) {
    struct fake_store *fake = calloc(1, sizeof *fake);
    assert(fake);
    fake->store.class = &fake_class;
    atomic_init(&fake->store.references, 1);
    fake->store.runtime = runtime;
    return fake;
}

void fake_store_free(struct fake_store *fake) {
    for (size_t i = 0; i < fake->object_count; i++) {
        free(fake->objects[i].key);
        free(fake->objects[i].data);
    }
    free(fake);
}

void fake_store_put(struct fake_store *fake, const char *key, const void *data, size_t size) {
    fake_store_remove(fake, key);
    assert(fake->object_count < FAKE_OBJECTS);
    struct fake_object *object = &fake->objects[fake->object_count++];
    object->key = strdup(key);
    object->data = malloc(size + 1);
    assert(object->key && object->data);
    memcpy(object->data, data, size);
    object->size = size;
}

void fake_store_put_text(struct fake_store *fake, const char *key, const char *text) {
    fake_store_put(fake, key, text, strlen(text));
}

void fake_store_remove(struct fake_store *fake, const char *key) {
    struct fake_object *object = find(fake, key);
    if (!object) return;
    free(object->key);
    free(object->data);
    *object = fake->objects[--fake->object_count];
}

void fake_store_rewind(struct fake_store *fake) {
    fake->fail_at = fake->fail_last = fake->stall_at = 0;
    atomic_store(&fake->requests, 0);
    fake->fail_status = SHF_OK;
    fake->before = NULL;
    fake->asked[0] = '\0';
}
