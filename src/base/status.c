/* Texts and categories of the status codes: one table. */
#include "shardyfusion/types.h"

#include <stddef.h>

static const struct {
    shf_status code;
    int32_t category;
    const char *text;
} statuses[] = {
    {SHF_OK, SHF_CATEGORY_NONE, "success"},
    {SHF_NOT_FOUND, SHF_CATEGORY_NONE, "the key is absent"},
    {SHF_E_INVALID, SHF_CATEGORY_CONFIG, "an argument, option or key is wrong"},
    {SHF_E_UNSUPPORTED, SHF_CATEGORY_CONFIG, "this build does not read that kind of snapshot"},
    {SHF_E_ROUTING, SHF_CATEGORY_ROUTING, "the key or the routing context routes to no shard"},
    {SHF_E_MANIFEST, SHF_CATEGORY_MANIFEST, "the pointer or the manifest is malformed or not trusted"},
    {SHF_E_STATE, SHF_CATEGORY_STATE, "there is no snapshot to serve"},
    {SHF_E_CLOSED, SHF_CATEGORY_STATE, "the reader is closed"},
    {SHF_E_FORKED, SHF_CATEGORY_STATE, "the handle belongs to the parent process; make a new runtime after fork"},
    {SHF_E_NOT_FOUND, SHF_CATEGORY_STORE, "an object is not there"},
    {SHF_E_ACCESS, SHF_CATEGORY_STORE, "the store refused the credentials, or there are none"},
    {SHF_E_STORE, SHF_CATEGORY_STORE, "the store answered with a final error"},
    {SHF_E_STORE_RETRY, SHF_CATEGORY_STORE, "the store failed for now; try again"},
    {SHF_E_CORRUPT, SHF_CATEGORY_ADAPTER, "bytes of a shard contradict its format"},
    {SHF_E_INDEX, SHF_CATEGORY_INDEX, "stored vectors contradict the manifest or their format"},
    {SHF_E_BUSY, SHF_CATEGORY_LIMIT, "a queue or table is full, or a handle is still in use"},
    {SHF_E_NO_MEMORY, SHF_CATEGORY_LIMIT, "out of memory, or out of the memory budget"},
    {SHF_E_LIMIT, SHF_CATEGORY_LIMIT, "larger than a limit of the library"},
    {SHF_E_DEADLINE, SHF_CATEGORY_DEADLINE, "the time given to the operation is over"},
    {SHF_E_CANCELLED, SHF_CATEGORY_CANCELLED, "the operation was cancelled"},
    {SHF_E_LOCAL, SHF_CATEGORY_STORE, "a local file operation failed"},
    {SHF_E_INTERNAL, SHF_CATEGORY_INTERNAL, "a bug in libshardyfusion; please report it"},
};

const char *shf_version(void) { return SHF_VERSION_STRING; }

const char *shf_status_text(shf_status status) {
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        if (statuses[i].code == status) return statuses[i].text;
    }
    return "unknown status";
}

int32_t shf_status_category(shf_status status) {
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        if (statuses[i].code == status) return statuses[i].category;
    }
    return SHF_CATEGORY_INTERNAL;
}
