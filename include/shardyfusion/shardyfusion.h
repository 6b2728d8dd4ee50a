/*
 * libshardyfusion: asynchronous reader and writer of sharded key-value + vector snapshots on object storage.
 *
 * This is the only header that a program needs to include. In the order in which a user meets them:
 *
 *   types.h    status codes, slices, keys, errors, reference-counted buffers
 *   runtime.h  the runtime (threads, connections, budget), the completion queue, finished operations
 *   reader.h   open, get, multi_get, search, refresh, close, inspection, and the synchronous forms
 *   writer.h   open, write, publish, close: building a snapshot
 *   cel.h      the expressions that snapshots may be sharded by, without a snapshot
 *
 * Rules that hold for every function:
 *
 *   - Handles are opaque. A function that takes a NULL handle returns SHF_E_INVALID (one that returns no status:
 *     0, NULL or nothing); a *_release or *_free function takes NULL and does nothing.
 *   - A function that returns a shf_status writes its results on SHF_OK only, unless its comment says otherwise.
 *   - Option structs begin with `struct_size` (set it to sizeof the struct; SHF_INIT does). A zero field
 *     means the default. A caller built against a newer header may set fields that this library does not
 *     know: they must be zero, else SHF_E_INVALID.
 *   - Result structs also begin with `struct_size`, set by the caller; the library fills what fits, and zeroes
 *     what it does not know. Pointers in them are views: their comment says how long they live.
 *   - Strings are NUL-terminated UTF-8 unless they are shf_slice. Times are nanoseconds in names that end in
 *     _ns, milliseconds in _ms, microseconds since 1970 UTC in _us; sizes are bytes.
 *   - Any function may be called from any thread, unless its comment says otherwise. What frees a handle must be
 *     its last use.
 *   - After fork() every call of the child on an inherited runtime, queue, reader or snapshot gives SHF_E_FORKED
 *     (shf_cq_poll: 0). Finished operations, errors and buffers can still be read there. Freeing an inherited handle
 *     releases memory and nothing else; a new runtime can be made in the child.
 *   - The library installs no signal handler, and its threads block every signal.
 */
#ifndef SHF_SHARDYFUSION_H
#define SHF_SHARDYFUSION_H

#include "types.h"
#include "runtime.h"
#include "reader.h"
#include "writer.h"
#include "cel.h"

#endif
