#include "integration/s3_writer_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *s3_prefix, *s3_prefix_path, *s3_local;

int s3_writer_begin(void **state) {
    static unsigned number;
    int result = s3_begin(state);
    number++;
    s3_prefix = support_path("s3://" S3_BUCKET "/writer-%u", number);
    s3_prefix_path = support_path("%s/data/" S3_BUCKET "/writer-%u", s3_server.directory, number);
    s3_local = support_temporary_directory();
    return result;
}

int s3_writer_end(void **state) {
    int result = s3_end(state);
    writer_assert_tidy(s3_local);
    support_remove_tree(s3_local);
    free(s3_prefix);
    free(s3_prefix_path);
    free(s3_local);
    return result;
}

struct writer_rows *s3_writer_rows(uint32_t generation) {
    const struct writer_shape shape = {.rows = 600, .value_most = 400, .generation = generation};
    return writer_rows_new(&shape);
}

void s3_writer_options_make(struct s3_writer_options *out, const char *run_id) {
    out->s3 = s3_options(fault_proxy_endpoint(s3_proxy));
    out->s3.max_attempts = 1;
    out->writer = writer_options(s3_prefix, SHF_WRITE_KV, 2);
    out->writer.s3 = &out->s3;
    out->writer.run_id = run_id;
    out->writer.local_root = s3_local;
    out->writer.shard_attempts = 1;
}

shf_writer *s3_writer_open(const struct s3_writer_options *options) {
    shf_status status;
    shf_writer *writer = writer_open(&options->writer, &status);
    if (status) print_message("%s\n", support_message);
    assert_non_null(writer);
    return writer;
}

shf_status s3_writer_run(const struct s3_writer_options *options, const struct writer_rows *rows, shf_publish_info *info) {
    shf_status status;
    shf_writer *writer = writer_open(&options->writer, &status);
    if (!writer) return status;
    writer_write(writer, rows->rows, rows->shape.rows, 100);
    shf_op *op = writer_publish(writer, &status);
    if (op && info) {
        SHF_INIT(info);
        assert_int_equal(shf_op_publish_info(op, info), SHF_OK);
        info->run_id = info->manifest_ref = info->run_record = NULL; /* they go with the operation */
    }
    shf_op_release(op);
    writer_close(writer);
    return status;
}

void s3_writer_assert_serves(const struct writer_rows *rows) {
    shf_s3_options s3 = s3_options(s3_server.endpoint); /* not through the proxy */
    struct s3_opened opened = s3_open(s3_prefix, &s3, 0, 0);
    if (!rows) {
        assert_int_equal(opened.status, SHF_E_STATE);
        return;
    }
    if (opened.status) print_message("%s\n", opened.message);
    assert_non_null(opened.reader);
    writer_assert_values(opened.reader, rows);
    support_close(opened.reader);
}

void s3_writer_assert_says(const char *part) {
    if (!strstr(support_message, part)) print_message("\"%s\" does not say \"%s\"\n", support_message, part);
    assert_non_null(strstr(support_message, part));
}

/* ---- one generation instead of another ---- */

struct writer_rows *s3_writer_old, *s3_writer_new;

int s3_writer_group_begin(void **state) {
    s3_writer_old = s3_writer_rows(0);
    s3_writer_new = s3_writer_rows(1);
    return s3_group_begin(state);
}

int s3_writer_group_end(void **state) {
    writer_rows_free(s3_writer_old);
    writer_rows_free(s3_writer_new);
    return s3_group_end(state);
}

void s3_writer_publish_old(void) {
    struct s3_writer_options options;
    fault_proxy_heal(s3_proxy);
    s3_writer_options_make(&options, NULL);
    shf_status status = s3_writer_run(&options, s3_writer_old, NULL);
    if (status) print_message("%s\n", support_message);
    assert_int_equal(status, SHF_OK);
}

shf_status s3_writer_run_under(const struct fault *fault, struct s3_writer_options *options) {
    fault_proxy_set(s3_proxy, fault, 1);
    shf_status status = s3_writer_run(options, s3_writer_new, NULL);
    if (!fault_proxy_spoilt(s3_proxy)) print_message("no request was spoilt\n");
    assert_true(fault_proxy_spoilt(s3_proxy) > 0);
    fault_proxy_heal(s3_proxy);
    return status;
}

void s3_writer_assert_ends(const struct fault *fault, struct s3_writer_options *options, shf_status wanted,
                           const char *says) {
    s3_writer_publish_old();
    shf_status status = s3_writer_run_under(fault, options);
    if (status != wanted) print_message("%d, wanted %d: %s\n", status, wanted, support_message);
    assert_int_equal(status, wanted);
    if (says) s3_writer_assert_says(says);
    s3_writer_assert_serves(wanted ? s3_writer_old : s3_writer_new);
}
