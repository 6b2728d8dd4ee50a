/* The type checker, between its files. Private to formats/cel. */
#ifndef SHF_FORMATS_CEL_CHECK_H
#define SHF_FORMATS_CEL_CHECK_H

#include "formats/cel/cel_priv.h"
#include "formats/cel/types.h"

struct shf_cel_check {
    struct shf_cel *cel;
    struct shf_cel_types types;
    struct shf_error **error;
    /* Variables of the comprehensions around the node; the index is the slot. */
    struct {
        shf_slice name;
        shf_cel_term type;
    } locals[SHF_LIMIT_CEL_DEPTH];
    uint32_t local_count;
};

/* Types the node and everything below it, and makes its op the one for these types. */
shf_status shf_cel_check_node(struct shf_cel_check *check, struct shf_cel_node *node);
/* The same for a node whose children are typed already. */
shf_status shf_cel_check_operator(struct shf_cel_check *check, struct shf_cel_node *node);
shf_status shf_cel_check_call(struct shf_cel_check *check, struct shf_cel_node *node);
shf_status shf_cel_check_comprehension(struct shf_cel_check *check, struct shf_cel_node *node);

/* The two are one type from now on, or `otherwise` (with their names behind it) is the error at the node. */
shf_status shf_cel_check_same(struct shf_cel_check *check, const struct shf_cel_node *node, shf_cel_term wanted,
                              shf_cel_term found, const char *otherwise);
/* The error when a term could not be made or compared; SHF_OK when it could. */
shf_status shf_cel_check_limits(struct shf_cel_check *check, const struct shf_cel_node *node);
enum shf_cel_type shf_cel_check_kind(const struct shf_cel_check *check, const struct shf_cel_node *node);

#endif
