/* What the files of the conformance program share. */
#ifndef SHF_TESTS_CONFORMANCE_H
#define SHF_TESTS_CONFORMANCE_H

#include <shardyfusion/shardyfusion.h>

#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>

struct conformance {
    shf_runtime *runtime;
    shf_cq *cq;
    const char *url;
    const char *cache;
    uint32_t flags;
    bool is_vector_only; /* the case */
};

/* Remembers what is wrong; false. */
bool conformance_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *conformance_problem(void);
json_t *conformance_json(const char *directory, const char *name);
json_t *conformance_lines(const char *directory, const char *name);
shf_op *conformance_wait(struct conformance *c, shf_status submitted, const shf_op_id *id);
shf_reader *conformance_open(struct conformance *c, const char *ref, int attempts, shf_status *status);
unsigned char *conformance_base64(const char *text, size_t *size);
void conformance_remove_tree(const char *path);

#define CONFORMANCE_COLUMNS 8
struct conformance_context {
    shf_routing_context context; /* points at the rest, and into the JSON */
    shf_context_value values[CONFORMANCE_COLUMNS];
};
/* False when none was recorded. */
bool conformance_read_context(json_t *json, struct conformance_context *out);
/* The status that routing and getting must have here, for what is recorded of a key (or, routing, of a query). */
shf_status conformance_route_status(const json_t *row);
shf_status conformance_get_status(const json_t *row);

bool conformance_check_keys(struct conformance *c, shf_reader *reader, const json_t *rows);
bool conformance_check_queries(struct conformance *c, shf_reader *reader, const json_t *rows);
bool conformance_check_info(struct conformance *c, shf_reader *reader, const json_t *info);
bool conformance_check_history(struct conformance *c, const json_t *history);

#endif
