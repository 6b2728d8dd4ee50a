/* What the tests of composite snapshots over s3:// share: the worlds of tests/fault in a bucket, and what they must answer. */
#ifndef SHF_TESTS_S3_COMPOSITE_SUPPORT_H
#define SHF_TESTS_S3_COMPOSITE_SUPPORT_H

#include "fault/world.h"
#include "integration/s3_support.h"

#define COMPOSITE_URL "s3://" S3_BUCKET "/elsewhere/composite" /* not where they were written to */
#define KEYS_URL "s3://" S3_BUCKET "/elsewhere/keys"

/* Group set-up and tear-down: s3_group_begin, and the worlds at those URLs. Afterwards the composite one is in use. */
int composite_group_begin(void **state);
int composite_group_end(void **state);
/* A test's tear-down, after s3_begin: what a test published is taken back. */
int composite_end(void **state);

/* Puts the pointer of the composite snapshot. */
void composite_publish(enum world_pointer pointer);
/* Another copy of the world in use, below a prefix of its own in S3_BUCKET. */
void composite_put_copy(const char *prefix);

/* Values of all rows, hits of all queries: false after a line that says what differs. */
bool composite_is_exact(shf_reader *reader, int run);
/* Opened, exact, closed. */
void composite_assert_exact(struct s3_opened *opened, int run);

#endif
