/* A composite snapshot of two shards, recorded ones, and the answers that it gave at first. */
#ifndef SHF_TESTS_HOSTILE_TWO_SHARDS_H
#define SHF_TESTS_HOSTILE_TWO_SHARDS_H

#include <shardyfusion/shardyfusion.h>

/* Makes it; support_set_up was called. */
void two_shards_begin(void);
void two_shards_end(void);
const char *two_shards_snapshot(void);
/* All keys and hits are those of the beginning, or the test fails. */
void two_shards_expect_right(shf_reader *reader, const char *name);

#endif
