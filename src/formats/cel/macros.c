/* The macros, recognised by name and number of arguments while parsing. */
#include "formats/cel/cel_priv.h"

static shf_status expand_has(struct shf_cel *cel, struct shf_cel_node *call, struct shf_error **error) {
    struct shf_cel_node *field = call->children[0];
    if (field->op != SHF_CEL_OP_SELECT) {
        return shf_cel_error(cel, call->offset, SHF_E_INVALID, error, "has() takes a field, as in has(m.name)");
    }
    call->op = SHF_CEL_OP_HAS;
    call->name = field->name;
    call->children = field->children;
    return SHF_OK;
}

shf_status shf_cel_expand_macro(struct shf_cel *cel, struct shf_cel_node *call, struct shf_error **error) {
    static const struct {
        const char *name;
        uint32_t arguments;
        enum shf_cel_op op;
    } macros[] = {
        {"all", 2, SHF_CEL_OP_ALL},       {"exists", 2, SHF_CEL_OP_EXISTS}, {"exists_one", 2, SHF_CEL_OP_EXISTS_ONE},
        {"map", 2, SHF_CEL_OP_TRANSFORM}, {"map", 3, SHF_CEL_OP_TRANSFORM}, {"filter", 2, SHF_CEL_OP_FILTER},
    };
    if (!call->has_target) {
        return shf_cel_slice_is(call->name, "has") && call->count == 1 ? expand_has(cel, call, error) : SHF_OK;
    }
    for (size_t i = 0; i < sizeof macros / sizeof macros[0]; i++) {
        if (call->count != 1 + macros[i].arguments || !shf_cel_slice_is(call->name, macros[i].name)) continue;
        const struct shf_cel_node *variable = call->children[1];
        if (variable->op != SHF_CEL_OP_NAME || variable->is_root) {
            return shf_cel_error(cel, variable->offset, SHF_E_INVALID, error,
                                 "the first argument of %s() must be a plain name for the item", macros[i].name);
        }
        call->op = macros[i].op;
        call->name = variable->name;
        for (uint32_t child = 1; child + 1 < call->count; child++) call->children[child] = call->children[child + 1];
        call->count--;
        return SHF_OK;
    }
    return SHF_OK;
}
