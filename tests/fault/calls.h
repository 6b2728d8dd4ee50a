/* The seam of system calls on files: makes the n-th call of one function fail, or come short. */
#ifndef SHF_TESTS_FAULT_CALLS_H
#define SHF_TESTS_FAULT_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum call {
    CALL_OPENAT,
    CALL_CLOSE,
    CALL_PREAD,
    CALL_PWRITE,
    CALL_FSTAT,
    CALL_FSTATAT,
    CALL_FTRUNCATE,
    CALL_FSYNC,
    CALL_FUTIMENS,
    CALL_RENAMEAT,
    CALL_UNLINKAT,
    CALL_LINKAT,
    CALL_FCHMOD,
    CALL_MKDIRAT,
    CALL_FLOCK,
    CALL_MMAP,
    CALL_MUNMAP,
    CALL_CLONE_FILE,
    CALL_COPY_FILE_RANGE,
    CALL_FDOPENDIR,
    CALL_READDIR,
    CALL_CLOSEDIR,
    CALLS
};

/* Instead of an errno: */
#define PROBLEM_SHORT (-1) /* a transfer moves half of what is asked for */
#define PROBLEM_END (-2)   /* a read finds the end of the file */

struct call_fault {
    enum call call;
    uint32_t ordinal; /* from 1; 0: none */
    bool for_ever;    /* the later ones too */
    int problem;      /* an errno, or PROBLEM_* */
};

/* Before any other call of the library. fsync does nothing: no power is lost here, and the disk is not waited for. */
void calls_install(void);
void calls_arm(const struct call_fault *fault); /* NULL: only counts */
void calls_disarm(void);
uint32_t calls_seen(enum call call); /* since calls_arm, until calls_disarm */
uint32_t calls_failed(void);

const char *calls_name(enum call call);
const char *calls_problem_name(int problem);

#endif
