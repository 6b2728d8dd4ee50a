/*
 * The directory where a writer sorts and builds: private, locked while it is in use, removed at the end. What a killed
 * process left behind is removed by the next writer that uses the same place. Workers only.
 */
#ifndef SHF_WRITER_SCRATCH_H
#define SHF_WRITER_SCRATCH_H

#include "base/error.h"
#include "snapshot/location.h"

struct shf_scratch {
    int parent_fd, fd, lock_fd; /* -1 = not open */
    char *path;                 /* of the directory, for messages and renames */
    char *name;                 /* below its parent */
};

/*
 * Below `root` when that is given; else for files below the prefix of `location`; for others, and without one, below $TMPDIR
 * or /var/tmp. Parents are made.
 * SHF_E_LOCAL.
 */
shf_status shf_scratch_open(const char *root, const struct shf_location *location, struct shf_scratch *out,
                            struct shf_error **error);
/* Removes it with all that is in it (files only). */
void shf_scratch_remove(struct shf_scratch *scratch);

/* Closes it and leaves it, for a child of fork. */
void shf_scratch_forget(struct shf_scratch *scratch);

#endif
