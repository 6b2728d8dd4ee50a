/* A peer in a process of its own (a script of this folder), asked through pipes, one request at a time. */
#ifndef BENCH_PEER_PROCESS_H
#define BENCH_PEER_PROCESS_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#define BENCH_MAX_ANSWER 65536u

struct bench_peer {
    pid_t process;
    FILE *requests, *answers;
    char answer[BENCH_MAX_ANSWER]; /* line of the last request, without its end */
};

#define BENCH_VECTORS_SCRIPT "bench/peer_vectors.py"
#define BENCH_BUILD_SCRIPT "bench/peer_build.py"
#define BENCH_SLATEDB_SCRIPT "bench/peer_slatedb.py"
#define BENCH_PYTHON_SCRIPT "bench/peer_python.py"
#define BENCH_CEL_SCRIPT "bench/peer_cel.py"
#define BENCH_KMEANS_SCRIPT "bench/peer_kmeans.py"

/* Runs SCRIPT NAME DATA. Inherits the cores of this thread. NULL after a failure. */
struct bench_peer *bench_peer_start(const char *python, const char *script, const char *data, const char *name);
void bench_peer_stop(struct bench_peer *peer);

/* Sends "VERB FIRST COUNT" and waits for the answer. */
bool bench_peer_ask(struct bench_peer *peer, const char *verb, unsigned first, unsigned count);

#endif
