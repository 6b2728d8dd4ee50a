/* What the integration tests share: temporary directories, copies of snapshots, waiting for operations. */
#ifndef SHF_TESTS_SUPPORT_H
#define SHF_TESTS_SUPPORT_H

#include <shardyfusion/shardyfusion.h>

#include <jansson.h>
#include <stdbool.h>

/* A new directory below $TMPDIR or /tmp; the caller frees the name. */
char *support_temporary_directory(void);
void support_remove_tree(const char *path);
void support_copy_tree(const char *from, const char *to);
void support_write_file(const char *path, const void *data, size_t size); /* by rename: a reader sees old or new */
char *support_read_file(const char *path, size_t *size);
char *support_path(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A .npy file of float32 rows; like the other, by rename. */
void support_write_npy(const char *path, const float *rows, size_t count, size_t dimension);
/* First file of that name below a directory; aborts the test when there is none. */
char *support_find_file(const char *directory, const char *name, int nth);

/* A recorded fixture, for the caller to free, or NULL (after a line that says so) where there are none. */
char *support_fixture(const char *kind, const char *name);
/* The peer fixtures' case, or NULL (after a line that says so) where there are none. */
char *support_peer_case(const char *name);
json_t *support_lines(const char *directory, const char *name);
unsigned char *support_base64(const char *text, size_t *size);

extern shf_runtime *support_runtime;
extern shf_cq *support_cq;
int support_set_up(void **state);    /* runtime, queue */
int support_tear_down(void **state); /* everything must have been given back */

shf_call support_call(void);
shf_op *support_wait(shf_status submitted, shf_op_id id);
/* Opens with a cache directory; NULL with the error's text in support_message. */
shf_reader *support_open(const char *url, const char *cache, uint32_t flags, shf_status *status);
extern char support_message[1024];
void support_close(shf_reader *reader);

#endif
