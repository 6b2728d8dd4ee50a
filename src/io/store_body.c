#include "io/store_body.h"

#include "base/alloc.h"

#include <inttypes.h>

struct body {
    struct shf_buf buf;
    shf_runtime *runtime;
    uint64_t charged;
};

static void destroy(struct shf_buf *buf) {
    struct body *body = SHF_CONTAINER(buf, struct body, buf);
    shf_budget_give(shf_rt_budget(body->runtime), body->charged);
    shf_rt_release(body->runtime);
    shf_free(body);
}

shf_status shf_store_body_new(shf_runtime *runtime, uint64_t size, const char *url, struct shf_buf **out,
                              struct shf_error **error) {
    struct shf_budget *budget = shf_rt_budget(runtime);
    if (size > PTRDIFF_MAX - sizeof(struct body) || !shf_budget_take(budget, size)) {
        return shf_error_set(error, SHF_E_NO_MEMORY,
                             "%s: its %" PRIu64 " bytes do not fit into what is left of memory_budget_bytes (%" PRIu64
                             ")",
                             url, size, budget->limit_bytes);
    }
    struct body *body = shf_alloc(sizeof *body + (size_t)size);
    if (!body) {
        shf_budget_give(budget, size);
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the %" PRIu64 " bytes of %s", size, url);
    }
    atomic_init(&body->buf.references, 1);
    body->buf.data = (uint8_t *)(body + 1);
    body->buf.size = (size_t)size;
    body->buf.destroy = destroy;
    body->buf.context = NULL;
    body->runtime = shf_rt_retain(runtime);
    body->charged = size;
    *out = &body->buf;
    return SHF_OK;
}
