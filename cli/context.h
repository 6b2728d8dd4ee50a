/* Routing contexts: --routing-context K=V, and the "routing_context" object of a query line. */
#ifndef CLI_CONTEXT_H
#define CLI_CONTEXT_H

#include "cli/options.h"

#include <jansson.h>
#include <shardyfusion/shardyfusion.h>

struct cli_context {
    shf_routing_context context; /* points at values */
    shf_context_value *values;
    char **texts; /* names and text values, two a column */
};

/* No column at all leaves out->context.count 0. Returns NULL, or what is wrong; free it either way. */
char *cli_context_parse(const struct cli_list *pairs, struct cli_context *out);
char *cli_context_from_json(json_t *object, struct cli_context *out);
/* The value that was typed for this column, if any, read as of this type (SHF_CONTEXT_*). Returns NULL, or what is wrong. */
char *cli_context_set_type(struct cli_context *context, const char *name, uint32_t kind);
void cli_context_free(struct cli_context *context);

/* NULL for a context without columns. */
const shf_routing_context *cli_context_get(const struct cli_context *context);

#endif
