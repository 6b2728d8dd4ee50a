/* The entry point that every target of this folder defines; libFuzzer calls it, and the tests that replay corpora. */
#ifndef SHF_FUZZ_IO_ENTRY_H
#define SHF_FUZZ_IO_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void demand(bool truth) {
    if (!truth) __builtin_trap();
}

#endif
