/* What the tests of the writer over s3:// share. The proxy is s3_proxy; every test has a prefix of its own. */
#ifndef SHF_TESTS_S3_WRITER_SUPPORT_H
#define SHF_TESTS_S3_WRITER_SUPPORT_H

#include "integration/s3_support.h"
#include "integration/writer_support.h"

extern char *s3_prefix;      /* s3://copies/writer-N */
extern char *s3_prefix_path; /* where the server keeps it: for looking, not for writing */
extern char *s3_local;       /* directory to build in */
int s3_writer_begin(void **state);
int s3_writer_end(void **state); /* nothing may be left in s3_local */

struct writer_rows *s3_writer_rows(uint32_t generation); /* 600 */
/* A KV writer of two shards, through the proxy; one attempt a request, one a shard: what fails fails soon. */
struct s3_writer_options {
    shf_s3_options s3;
    shf_writer_options writer;
};
void s3_writer_options_make(struct s3_writer_options *out, const char *run_id);
shf_writer *s3_writer_open(const struct s3_writer_options *options); /* must succeed */
/* How publishing rows under the options ends; OK with *info (or NULL). The text is in support_message. */
shf_status s3_writer_run(const struct s3_writer_options *options, const struct writer_rows *rows, shf_publish_info *info);
/* A reader that knows nothing yet sees just these rows; NULL: there is no snapshot. */
void s3_writer_assert_serves(const struct writer_rows *rows);
void s3_writer_assert_says(const char *part);

/* ---- one generation instead of another, under faults: a group of tests that shares both ---- */

extern struct writer_rows *s3_writer_old, *s3_writer_new;
int s3_writer_group_begin(void **state);
int s3_writer_group_end(void **state);
void s3_writer_publish_old(void);
/* How a publish of the new rows ends under a fault, which must have spoilt something. */
shf_status s3_writer_run_under(const struct fault *fault, struct s3_writer_options *options);
/* The same after the old ones were published; what is served fits how it ends. says may be NULL. */
void s3_writer_assert_ends(const struct fault *fault, struct s3_writer_options *options, shf_status wanted,
                           const char *says);

#endif
