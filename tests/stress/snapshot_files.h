/* The files of a stress test's snapshots: shards and manifests, written with libsqlite3 alone. */
#ifndef SHF_TESTS_STRESS_SNAPSHOT_FILES_H
#define SHF_TESTS_STRESS_SNAPSHOT_FILES_H

#include "stress/snapshots.h"

/* What names of objects and manifests are made of. */
void stress_run_id(unsigned version, char out[33]);
char *stress_manifest_tail(unsigned snapshot); /* manifests/.../manifest; the caller's */

void stress_write_shard(const struct stress_prefix *prefix, unsigned version, unsigned shard);
void stress_write_manifest(const struct stress_prefix *prefix, unsigned snapshot);

#endif
