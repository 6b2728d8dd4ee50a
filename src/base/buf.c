#include "base/buf.h"

#include "base/alloc.h"

struct shf_buf *shf_buf_new(size_t size) {
    size_t total;
    if (!shf_add(sizeof(struct shf_buf), size, &total)) return NULL;
    struct shf_buf *buf = shf_alloc(total);
    if (!buf) return NULL;
    atomic_init(&buf->references, 1);
    buf->data = (uint8_t *)(buf + 1);
    buf->size = size;
    buf->destroy = NULL;
    buf->context = NULL;
    return buf;
}

struct shf_buf *shf_buf_retain(struct shf_buf *buf) {
    if (buf) atomic_fetch_add_explicit(&buf->references, 1, memory_order_relaxed);
    return buf;
}

void shf_buf_release(struct shf_buf *buf) {
    if (!buf || atomic_fetch_sub_explicit(&buf->references, 1, memory_order_acq_rel) != 1) return;
    if (buf->destroy) {
        buf->destroy(buf);
    } else {
        shf_free(buf);
    }
}
