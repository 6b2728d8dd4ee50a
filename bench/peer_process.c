#include "bench/peer_process.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void run_script(const char *python, const char *script, const char *data, const char *name, int requests,
                       int answers) {
    /* Set for other machines they slow a peer down: OpenBLAS finds the processor by itself. */
    (void)unsetenv("OPENBLAS_CORETYPE");
    (void)unsetenv("OPENBLAS_L2_SIZE");
    (void)setenv("OMP_NUM_THREADS", "1", 1);
    (void)setenv("OPENBLAS_NUM_THREADS", "1", 1);
    (void)dup2(requests, STDIN_FILENO);
    (void)dup2(answers, STDOUT_FILENO);
    (void)execl(python, python, script, name, data, (char *)NULL);
    perror(python);
    _exit(127);
}

struct bench_peer *bench_peer_start(const char *python, const char *script, const char *data, const char *name) {
    struct bench_peer *peer = calloc(1, sizeof *peer);
    int requests[2], answers[2];
    /* Not inherited by a peer started later: it would keep the end of this one's input from coming. */
    if (!peer || pipe2(requests, O_CLOEXEC) || pipe2(answers, O_CLOEXEC)) {
        perror("pipe");
        free(peer);
        return NULL;
    }
    peer->process = fork();
    if (peer->process == 0) {
        (void)close(requests[1]);
        (void)close(answers[0]);
        run_script(python, script, data, name, requests[0], answers[1]);
    }
    (void)close(requests[0]);
    (void)close(answers[1]);
    peer->requests = fdopen(requests[1], "w");
    peer->answers = fdopen(answers[0], "r");
    if (peer->process > 0 && peer->requests && peer->answers) return peer;
    perror("starting a peer");
    bench_peer_stop(peer);
    return NULL;
}

void bench_peer_stop(struct bench_peer *peer) {
    if (!peer) return;
    if (peer->requests) (void)fclose(peer->requests); /* the end of its input is the end of it */
    if (peer->answers) (void)fclose(peer->answers);
    if (peer->process > 0) (void)waitpid(peer->process, NULL, 0);
    free(peer);
}

bool bench_peer_ask(struct bench_peer *peer, const char *verb, unsigned first, unsigned count) {
    if (fprintf(peer->requests, "%s %u %u\n", verb, first, count) < 0 || fflush(peer->requests)) return false;
    if (!fgets(peer->answer, sizeof peer->answer, peer->answers)) {
        fprintf(stderr, "a peer gave no answer to %s\n", verb);
        return false;
    }
    peer->answer[strcspn(peer->answer, "\n")] = 0;
    return true;
}
