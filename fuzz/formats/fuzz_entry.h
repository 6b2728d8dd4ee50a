/* The entry point that every target of this folder defines; libFuzzer calls it, and the tests that replay corpora. */
#ifndef SHF_FUZZ_ENTRY_H
#define SHF_FUZZ_ENTRY_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
