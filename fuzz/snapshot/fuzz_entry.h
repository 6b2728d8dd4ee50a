/* The entry point of the target; libFuzzer calls it, and the test that replays the corpus. */
#ifndef SHF_FUZZ_SNAPSHOT_ENTRY_H
#define SHF_FUZZ_SNAPSHOT_ENTRY_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
