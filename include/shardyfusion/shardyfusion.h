/*
 * libshardyfusion: asynchronous reader of sharded key-value + vector snapshots on object storage.
 *
 * This is the only header that a program needs to include. In the order in which a user meets them:
 *
 *   types.h    status codes, slices, keys, errors, reference-counted buffers
 *   runtime.h  the runtime (threads, connections, budget), the completion queue, finished operations
 *   reader.h   open, get, multi_get, search, refresh, close, inspection, and the synchronous forms
 *
 * Rules that hold for every function:
 *
 *   - Handles are opaque. A function that takes a NULL handle returns SHF_E_INVALID; a *_release or *_free
 *     function takes NULL and does nothing.
 *   - Option structs begin with `struct_size` (set it to sizeof the struct; SHF_INIT does). A zero field
 *     means the default. A caller built against a newer header may set fields that this library does not
 *     know: they must be zero, else SHF_E_INVALID.
 *   - Result structs also begin with `struct_size`, set by the caller; the library fills what fits.
 *   - Strings are NUL-terminated UTF-8 unless they are shf_slice. Times are nanoseconds in names that end in
 *     _ns, milliseconds in _ms.
 *   - Any function may be called from any thread, unless its comment says otherwise.
 *   - After fork() every call of the child on an inherited handle gives SHF_E_FORKED; freeing such a handle
 *     releases memory and nothing else; a new runtime can be made in the child.
 */
#ifndef SHF_SHARDYFUSION_H
#define SHF_SHARDYFUSION_H

#include "types.h"
#include "runtime.h"
#include "reader.h"

#endif
