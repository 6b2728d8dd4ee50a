/*
 * To which shard a row goes when a CEL expression decides. Direct: the result is the shard. With routing values: the place of
 * the result among them. With routing values that are inferred from the rows: known at the end, when all are sorted.
 *
 * While rows come in each has a place, by which it is sorted; that is its shard, or, for inferred values, the number of its
 * token in the order of first appearance. So what is sorted stays sorted, and only who builds a shard translates.
 * One thread at a time; what is asked after shf_sharder_finish, any number.
 */
#ifndef SHF_WRITER_SHARDER_H
#define SHF_WRITER_SHARDER_H

#include "base/budget.h"
#include "base/error.h"
#include "shardyfusion/writer.h"

#include <stdbool.h>
#include <stddef.h>

struct shf_sharder;
struct shf_manifest_cel;

struct shf_sharder_options {
    const char *expression, *columns, *routing_values; /* as in shf_writer_options */
    bool infers;
    bool needs_context; /* rows have no keys */
    uint32_t num_dbs;   /* as asked for; 0 = by values or rows */
    struct shf_budget *budget;
};

/* Compiles. SHF_E_INVALID with the place in the expression, or the column. */
shf_status shf_sharder_new(const struct shf_sharder_options *options, struct shf_sharder **out, struct shf_error **error);
void shf_sharder_free(struct shf_sharder *sharder); /* NULL is fine */

/* The place of a row, below SHF_LIMIT_WRITER_SHARDS; *is_cut: a value was cut at a NUL. SHF_E_INVALID, _ROUTING, _LIMIT. */
shf_status shf_sharder_place(struct shf_sharder *sharder, const shf_row *row, uint32_t *place, bool *is_cut,
                             struct shf_error **error);
/* The snapshot has a row there. */
void shf_sharder_use(struct shf_sharder *sharder, uint32_t place);

/* No more rows: how many shards there are. SHF_E_ROUTING: shards of direct mode are missing below the highest. */
shf_status shf_sharder_finish(struct shf_sharder *sharder, uint32_t *num_dbs, struct shf_error **error);
/* After finish: under which place the rows of a shard were sorted. */
uint32_t shf_sharder_place_of(const struct shf_sharder *sharder, uint32_t shard);
/* After finish: build_meta.sharding of the manifest, the caller's to shf_free. */
shf_status shf_sharder_text(const struct shf_sharder *sharder, char **out, struct shf_error **error);
/* After finish: what that text is made of; *values NULL = the result is a shard's number. Live as long as the sharder. */
struct shf_cel_value;
const struct shf_manifest_cel *shf_sharder_cel(const struct shf_sharder *sharder, const struct shf_cel_value **values,
                                               size_t *count);

#endif
