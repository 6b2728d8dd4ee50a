/* A small SlateDB database with rows in WAL, L0 and a sorted run, in every codec, and attacks on it. */
#ifndef SHF_TESTS_HOSTILE_SLATEDB_H
#define SHF_TESTS_HOSTILE_SLATEDB_H

#include "hostile/composite.h"
#include "unit/formats/slatedb/make.h"

#define SLATEDB_MANIFEST "manifest/00000000000000000003.manifest"
#define SLATEDB_WAL(digit) "wal/0000000000000000000" #digit ".sst"
enum { SLATEDB_L0S = 2, SLATEDB_RUN_SSTS = 3, SLATEDB_LAST_L0_SEQ = 100, SLATEDB_REPLAY_AFTER = 4 };

struct slatedb_sound {
    struct made_sst l0[SLATEDB_L0S], run_ssts[SLATEDB_RUN_SSTS];
    struct made_run run;
    struct made_manifest manifest;
};
extern struct slatedb_sound slatedb_sound;
void slatedb_make_sound(void);

/* "compacted/....sst" of an SST of ours; static storage. */
const char *slatedb_sst_name(uint64_t ulid);
void slatedb_try_manifest(const struct made_manifest *manifest, enum composite_wish wish, const char *text,
                          const char *name);

void slatedb_manifests(void **state);      /* bytes of the manifest */
void slatedb_manifest_rules(void **state); /* manifests that are well formed and say what they must not */
void slatedb_ssts(void **state);           /* bytes of SSTs */
void slatedb_blocks(void **state);         /* SSTs whose checksums are right and whose contents are not */
void slatedb_bombs(void **state);
void slatedb_wal_objects(void **state);
void slatedb_wal_sets(void **state);
void slatedb_replaced_wal(void **state);
void slatedb_absent(void **state);

#endif
