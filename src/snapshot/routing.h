/* From keys and routing contexts to shards, whatever the snapshot is sharded by. Pure. */
#ifndef SHF_SNAPSHOT_ROUTING_H
#define SHF_SNAPSHOT_ROUTING_H

#include "formats/cel/cel_route.h"
#include "formats/manifest.h"

/*
 * The compiled expression of a snapshot with keys. SHF_E_INVALID: the expression does not compile (with the place in it), a
 * column has an unknown type.
 */
shf_status shf_routing_compile(const struct shf_manifest_cel *cel, uint32_t num_dbs, struct shf_cel_router **out,
                               struct shf_error **error);
/* The same of a vector-only snapshot that has an expression and columns. */
shf_status shf_routing_compile_vectors(const struct shf_manifest_routing *routing, uint32_t num_dbs,
                                       struct shf_cel_router **out, struct shf_error **error);

/* What one call needs to route its keys; on the stack. */
struct shf_routing {
    uint32_t num_dbs;
    const struct shf_cel_router *cel; /* NULL: HASH, which looks at keys alone and has no use for the rest */
    const shf_routing_context *context;
    bool is_decided; /* the context, which is the same for all keys, led to: */
    uint32_t shard;
    struct shf_cel_value token; /* of the last key; points into the scratch, the key and the context */
    struct shf_cel_scratch scratch;
};
/* `context` may be NULL, and must stay. End it with shf_routing_end. */
void shf_routing_begin(struct shf_routing *routing, uint32_t num_dbs, const struct shf_cel_router *cel,
                       const shf_routing_context *context);
void shf_routing_end(struct shf_routing *routing);
/* What evaluating took so far, about: nodes, and items and bytes looked at. 0 under HASH. */
static inline uint64_t shf_routing_steps(const struct shf_routing *routing) {
    return routing->cel ? routing->scratch.steps : 0;
}

/*
 * *shard is SHF_CEL_UNKNOWN_TOKEN where no shard has such rows: nothing is found there, and shf_routing_unknown makes an error
 * of it. SHF_E_INVALID: a key of no valid form, or a context is needed and none was given. SHF_E_ROUTING: the expression
 * has no shard for these values.
 */
shf_status shf_routing_of_key(struct shf_routing *routing, const shf_key *key, uint32_t *shard, struct shf_error **error);
/* CEL sharding with a context: the same without a key. */
shf_status shf_routing_of_context(struct shf_routing *routing, uint32_t *shard, struct shf_error **error);
/* The same once for one context; a token that is not known is SHF_E_ROUTING. */
shf_status shf_routing_once(const struct shf_cel_router *cel, const shf_routing_context *context, uint32_t *shard,
                            struct shf_error **error);
/* SHF_E_ROUTING that names the token which was just met. */
shf_status shf_routing_unknown(const struct shf_routing *routing, struct shf_error **error);

#endif
