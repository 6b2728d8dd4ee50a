/* From the result of a CEL expression to a shard: directly its number, or through the list of routing values. */
#ifndef SHF_FORMATS_CEL_CEL_ROUTE_H
#define SHF_FORMATS_CEL_CEL_ROUTE_H

#include "formats/cel/cel.h"

#define SHF_CEL_UNKNOWN_TOKEN UINT32_MAX

struct shf_cel_router;

/*
 * `routing_values` NULL: direct mode. Otherwise (also with a count of 0) categorical: all of one type, SHF_CEL_INT, _STRING
 * or _BYTES, each at most once; value i belongs to shard i. They are copied. SHF_E_INVALID: the expression does not
 * compile, its result is none of int, uint, string and bytes, or the routing values are wrong.
 */
shf_status shf_cel_router_new(const char *text, size_t size, const struct shf_cel_column *columns, size_t column_count,
                              const struct shf_cel_value *routing_values, size_t routing_count, uint32_t num_dbs,
                              struct shf_cel_router **out, struct shf_error **error);
void shf_cel_router_free(struct shf_cel_router *router);
const struct shf_cel *shf_cel_router_expression(const struct shf_cel_router *router);

/* True when the columns are exactly {"key"}: a lookup then needs nothing but the key. */
bool shf_cel_router_takes_key(const struct shf_cel_router *router);

/*
 * Evaluates and resolves. *shard is SHF_CEL_UNKNOWN_TOKEN when the token is none of the routing values, which is no error
 * here: shf_cel_unknown_token makes one of it. `token` (may be NULL) gets the result of the expression, valid until the scratch
 * is used again. SHF_E_ROUTING: an error of CEL, a text that is no number, a number that is no shard.
 */
shf_status shf_cel_route(const struct shf_cel_router *router, const struct shf_cel_value *columns,
                         struct shf_cel_scratch *scratch, uint32_t *shard, struct shf_cel_value *token,
                         struct shf_error **error);

/* SHF_E_ROUTING, naming the token. */
shf_status shf_cel_unknown_token(const struct shf_cel_value *token, struct shf_error **error);

#endif
