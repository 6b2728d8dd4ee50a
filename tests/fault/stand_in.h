/*
 * A store in memory that answers instead of S3, behind a store that spoils answers as it is told to: s3:// URLs of the
 * scenarios that ask for it go there. The programs are linked with --wrap=shf_store_s3_new.
 */
#ifndef SHF_TESTS_FAULT_STAND_IN_H
#define SHF_TESTS_FAULT_STAND_IN_H

#include "fault/world.h"

#include "io/store_fault.h"

#define STAND_IN_URL "s3://world/snapshot"

/* The objects of all worlds, read once. */
void stand_in_setup(void);
void stand_in_teardown(void);

/* One at a time, with the world in use; ended before its runtime is freed. */
void stand_in_begin(shf_runtime *runtime);
void stand_in_publish(enum world_pointer pointer);
void stand_in_end(void);
/* The spoiling one; NULL when there is none. */
struct shf_store *stand_in_store(void);

#endif
