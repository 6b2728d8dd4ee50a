/* Reference-counted bytes: the public shf_buf. */
#ifndef SHF_BASE_BUF_H
#define SHF_BASE_BUF_H

#include "shardyfusion/types.h"

#include <stdatomic.h>

struct shf_buf {
    atomic_uint references;
    uint8_t *data; /* immutable once shared */
    size_t size;
    void (*destroy)(struct shf_buf *buf); /* frees data and buf; NULL: made by shf_buf_new */
    void *context;                        /* for destroy */
};

/* A buffer of `size` writable bytes right behind the header, one reference; NULL without memory. */
struct shf_buf *shf_buf_new(size_t size);

#endif
