#include "writer/errand.h"

#include "base/alloc.h"

void shf_errand_end(struct shf_errand *errand) {
    shf_store_request_clear(&errand->request);
    shf_free(errand->key);
    shf_free(errand->text);
    errand->key = errand->text = NULL;
}

struct shf_error *shf_errand_take_error(struct shf_errand *errand) {
    struct shf_error *error = errand->request.error;
    errand->request.error = NULL;
    return error;
}

static void answered(struct shf_store_request *request) {
    struct shf_errand *errand = SHF_CONTAINER(request, struct shf_errand, request);
    errand->status = request->status;
    errand->then(errand);
}

static void no_memory(struct shf_task *task) {
    struct shf_errand *errand = SHF_CONTAINER(task, struct shf_errand, request.task);
    errand->status = shf_error_set(&errand->request.error, SHF_E_NO_MEMORY, "no memory for a request to the store");
    errand->then(errand);
}

static void begin(struct shf_errand *errand, enum shf_store_verb verb, char *key, void (*then)(struct shf_errand *)) {
    shf_errand_end(errand);
    errand->key = key;
    errand->then = then;
    errand->request = (struct shf_store_request){.verb = verb,
                                                 .key = key,
                                                 .body_fd = -1,
                                                 .deadline_ns = errand->deadline_ns,
                                                 .cancel = errand->cancel,
                                                 .done = answered};
}

static void submit(struct shf_errand *errand) {
    if (errand->key) {
        shf_store_submit(errand->store, &errand->request);
    } else {
        errand->request.task.run = no_memory;
        shf_rt_post_loop(errand->store->runtime, &errand->request.task);
    }
}

void shf_errand_get(struct shf_errand *errand, char *key, uint64_t max_bytes, void (*then)(struct shf_errand *)) {
    begin(errand, SHF_STORE_GET, key, then);
    errand->request.max_bytes = max_bytes;
    submit(errand);
}

void shf_errand_list(struct shf_errand *errand, char *key, void (*then)(struct shf_errand *)) {
    begin(errand, SHF_STORE_LIST, key, then);
    submit(errand);
}

void shf_errand_delete(struct shf_errand *errand, char *key, void (*then)(struct shf_errand *)) {
    begin(errand, SHF_STORE_DELETE, key, then);
    submit(errand);
}

void shf_errand_put(struct shf_errand *errand, char *key, char *text, uint64_t size, const char *content_type,
                    const char *if_version, void (*then)(struct shf_errand *)) {
    if (!text) {
        shf_free(key);
        key = NULL;
    }
    begin(errand, SHF_STORE_PUT, key, then);
    errand->text = text;
    errand->request.data = text;
    errand->request.data_size = size;
    errand->request.content_type = content_type;
    errand->request.if_version = if_version;
    submit(errand);
}

void shf_errand_put_file(struct shf_errand *errand, char *key, int fd, const char *path, uint64_t size,
                         const uint8_t *sha256, const char *content_type, void (*then)(struct shf_errand *)) {
    begin(errand, SHF_STORE_PUT, key, then);
    errand->request.has_source = true;
    errand->request.source_fd = fd;
    errand->request.source_path = path;
    errand->request.data_size = size;
    errand->request.sha256 = sha256;
    errand->request.content_type = content_type;
    submit(errand);
}
