/* Bodies of answers in memory, charged to the budget of the runtime until their last release. */
#ifndef SHF_IO_STORE_BODY_H
#define SHF_IO_STORE_BODY_H

#include "base/buf.h"
#include "base/error.h"
#include "rt/runtime.h"

/* A buffer of `size` writable bytes; `url` for the message. SHF_E_NO_MEMORY when budget or memory is out. */
shf_status shf_store_body_new(shf_runtime *runtime, uint64_t size, const char *url, struct shf_buf **out,
                              struct shf_error **error);

#endif
