#include "mutation_targets.h"

#define LLVMFuzzerTestOneInput mutate_shard
#include "fuzz_shard.c"
#undef LLVMFuzzerTestOneInput
#undef SHF_FUZZ_ENTRY_H

#define LLVMFuzzerTestOneInput mutate_manifest
#include "fuzz_manifest.c"
