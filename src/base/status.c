/* Texts and categories of the status codes: one table. */
#include "base/error.h"

#include <stddef.h>

static const struct {
    shf_status code;
    int32_t category;
    const char *name, *text;
} statuses[] = {
#define STATUS(code, category, text)                                                                                   \
    { code, category, #code, text }
    STATUS(SHF_OK, SHF_CATEGORY_NONE, "success"),
    STATUS(SHF_NOT_FOUND, SHF_CATEGORY_NONE, "the key is absent"),
    STATUS(SHF_WOULD_WAIT, SHF_CATEGORY_NONE, "there is no answer without waiting; submit the call instead"),
    STATUS(SHF_E_INVALID, SHF_CATEGORY_CONFIG, "an argument, option or key is wrong"),
    STATUS(SHF_E_UNSUPPORTED, SHF_CATEGORY_CONFIG, "this build does not read that kind of snapshot"),
    STATUS(SHF_E_ROUTING, SHF_CATEGORY_ROUTING, "the key or the routing context routes to no shard"),
    STATUS(SHF_E_MANIFEST, SHF_CATEGORY_MANIFEST, "the pointer or the manifest is malformed or not trusted"),
    STATUS(SHF_E_STATE, SHF_CATEGORY_STATE, "there is no snapshot to serve, or a run can not go on"),
    STATUS(SHF_E_CLOSED, SHF_CATEGORY_STATE, "the reader or writer is closed"),
    STATUS(SHF_E_FORKED, SHF_CATEGORY_STATE, "the handle belongs to the parent process; make a new runtime after fork"),
    STATUS(SHF_E_NOT_FOUND, SHF_CATEGORY_STORE, "an object is not there"),
    STATUS(SHF_E_ACCESS, SHF_CATEGORY_STORE, "the store refused the credentials, or there are none"),
    STATUS(SHF_E_STORE, SHF_CATEGORY_STORE, "the store answered with a final error"),
    STATUS(SHF_E_STORE_RETRY, SHF_CATEGORY_STORE, "the store failed for now; try again"),
    STATUS(SHF_E_CORRUPT, SHF_CATEGORY_ADAPTER, "bytes of a shard contradict its format"),
    STATUS(SHF_E_INDEX, SHF_CATEGORY_INDEX, "stored vectors contradict the manifest or their format"),
    STATUS(SHF_E_BUSY, SHF_CATEGORY_LIMIT, "a queue or table is full, or a handle is still in use"),
    STATUS(SHF_E_NO_MEMORY, SHF_CATEGORY_LIMIT, "out of memory, or out of the memory budget"),
    STATUS(SHF_E_LIMIT, SHF_CATEGORY_LIMIT, "larger than a limit of the library"),
    STATUS(SHF_E_DEADLINE, SHF_CATEGORY_DEADLINE, "the time given to the operation is over"),
    STATUS(SHF_E_CANCELLED, SHF_CATEGORY_CANCELLED, "the operation was cancelled"),
    STATUS(SHF_E_LOCAL, SHF_CATEGORY_STORE, "a local file operation failed"),
    STATUS(SHF_E_INTERNAL, SHF_CATEGORY_INTERNAL, "a bug in libshardyfusion; please report it"),
#undef STATUS
};

const char *shf_version(void) { return SHF_VERSION_STRING; }

const char *shf_status_text(shf_status status) {
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        if (statuses[i].code == status) return statuses[i].text;
    }
    return "unknown status";
}

const char *shf_status_name(shf_status status) {
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        if (statuses[i].code == status) return statuses[i].name;
    }
    return "unknown status";
}

int32_t shf_status_category(shf_status status) {
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        if (statuses[i].code == status) return statuses[i].category;
    }
    return SHF_CATEGORY_INTERNAL;
}
