/* Buffers for copied values, charged to the runtime's budget for as long as anybody holds them. */
#ifndef SHF_READER_VALUE_BUF_H
#define SHF_READER_VALUE_BUF_H

#include "base/buf.h"
#include "base/error.h"
#include "rt/runtime.h"

/* NULL with SHF_E_NO_MEMORY in *error when the budget or memory is out. */
struct shf_buf *shf_value_buf_new(shf_runtime *runtime, uint64_t size, struct shf_error **error);

#endif
