/*
 * A slow S3 server in the process of the test: unsigned GET, HEAD and listings of the files below a directory, each
 * answer after a random while. Whatever waits for a store can so be caught in the middle.
 */
#ifndef SHF_TESTS_STRESS_SLOW_STORE_H
#define SHF_TESTS_STRESS_SLOW_STORE_H

#include <stdint.h>

struct slow_store;

/* The objects of bucket `bucket` are the files below `directory`. */
struct slow_store *slow_store_start(const char *directory, const char *bucket);
/* When no client is connected any more. */
void slow_store_wait_until_idle(struct slow_store *store);
void slow_store_stop(struct slow_store *store);
const char *slow_store_endpoint(const struct slow_store *store);
/* Longest time before an answer, and before each 32 KiB of a body; 0 = at once. */
void slow_store_set_delay(struct slow_store *store, unsigned longest_us);
unsigned slow_store_requests(const struct slow_store *store);

#endif
