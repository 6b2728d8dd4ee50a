/* The entry points of two fuzzers under names of their own, so that one program has both. */
#ifndef SHF_TESTS_MUTATION_TARGETS_H
#define SHF_TESTS_MUTATION_TARGETS_H

#include <stddef.h>
#include <stdint.h>

int mutate_shard(const uint8_t *data, size_t size);
int mutate_manifest(const uint8_t *data, size_t size);

#endif
