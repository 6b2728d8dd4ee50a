#include "harness/s3_upload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_ATTEMPTS 10
#define ANSWER_WAIT_MS 15000

static const char *program(void) {
    const char *path = getenv("SHF_VERSITYGW");
    return path && *path && access(path, X_OK) == 0 ? path : NULL;
}

bool s3_server_is_there(void) {
    if (program()) return true;
    (void)printf("SKIP: no S3 server to test with (set SHF_VERSITYGW to the program versitygw)\n");
    return false;
}

static bool random_hex(char *out, size_t room) {
    unsigned char bytes[64];
    size_t count = (room - 1) / 2;
    if (getrandom(bytes, count, 0) != (ssize_t)count) return false;
    for (size_t i = 0; i < count; i++) (void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    return true;
}

/* A port that was free a moment ago. */
static uint16_t free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    uint16_t port = 0;
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 &&
        getsockname(fd, (struct sockaddr *)&address, &size) == 0) {
        port = ntohs(address.sin_port);
    }
    if (fd >= 0) (void)close(fd);
    return port;
}

/* ---- the child ---- */

static void run_server(const struct s3_server *server, pid_t parent) {
    char address[32], domain[32], data[80], sidecar[80], log[80], access_key[64], secret_key[96],
        home[] = "HOME=/nonexistent";
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127); /* it was gone before */
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", server->port);
    (void)snprintf(domain, sizeof domain, "localhost:%u", server->port); /* BUCKET.localhost; other hosts: path style */
    (void)snprintf(data, sizeof data, "%s/data", server->directory);
    (void)snprintf(sidecar, sizeof sidecar, "%s/sidecar", server->directory);
    (void)snprintf(log, sizeof log, "%s/log", server->directory);
    (void)snprintf(access_key, sizeof access_key, "ROOT_ACCESS_KEY=%s", server->access_key_id);
    (void)snprintf(secret_key, sizeof secret_key, "ROOT_SECRET_KEY=%s", server->secret_access_key);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0) _exit(127);
    char *const environment[] = {access_key, secret_key, home, NULL};
    /* Not every file system has extended attributes, hence --sidecar. */
    (void)execle(program(), "versitygw", "--port", address, "--quiet", "--keep-alive", "--virtual-domain", domain,
                 "posix", "--sidecar", sidecar, data, (char *)NULL, environment);
    _exit(127);
}

static bool make_directories(struct s3_server *server) {
    const char *base = getenv("TMPDIR");
    char path[80];
    if (!base || !*base || strlen(base) > 32) base = "/tmp";
    (void)snprintf(server->directory, sizeof server->directory, "%s/shf-s3-XXXXXX", base);
    if (!mkdtemp(server->directory)) return false;
    (void)snprintf(path, sizeof path, "%s/data", server->directory);
    if (mkdir(path, 0700) != 0) return false;
    (void)snprintf(path, sizeof path, "%s/sidecar", server->directory);
    return mkdir(path, 0700) == 0;
}

static int remove_one(const char *path, const struct stat *facts, int kind, struct FTW *place) {
    (void)facts, (void)kind, (void)place;
    return remove(path);
}

static bool is_running(struct s3_server *server) {
    if (server->pid > 0 && waitpid(server->pid, NULL, WNOHANG) == 0) return true;
    server->pid = 0;
    return false;
}

static void end_child(struct s3_server *server) {
    if (server->pid <= 0) return;
    (void)kill(server->pid, SIGKILL); /* it has nothing to save */
    while (waitpid(server->pid, NULL, 0) < 0 && errno == EINTR) continue;
    server->pid = 0;
}

static void show_log(const struct s3_server *server) {
    char path[80], text[2000];
    (void)snprintf(path, sizeof path, "%s/log", server->directory);
    FILE *file = fopen(path, "r");
    size_t size = file ? fread(text, 1, sizeof text, file) : 0;
    if (file) (void)fclose(file);
    (void)fprintf(stderr, "the S3 server does not start; what it printed:\n%.*s\n", (int)size, text);
}

bool s3_server_start(struct s3_server *server) {
    memset(server, 0, sizeof *server);
    if (!random_hex(server->access_key_id, sizeof server->access_key_id) ||
        !random_hex(server->secret_access_key, sizeof server->secret_access_key) || !make_directories(server)) {
        (void)fprintf(stderr, "no temporary directory for the S3 server: %s\n", strerror(errno));
        return false;
    }
    for (int attempt = 0; attempt < START_ATTEMPTS; attempt++) {
        pid_t parent = getpid();
        server->port = free_port();
        (void)snprintf(server->endpoint, sizeof server->endpoint, "http://127.0.0.1:%u", server->port);
        server->pid = fork();
        if (server->pid == 0) run_server(server, parent);
        for (int waited = 0; waited < ANSWER_WAIT_MS && is_running(server); waited += 10) {
            /* Only the server that knows the credentials can answer so: another's on the same port does not count. */
            if (s3_server_answers(server)) return true;
            (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        }
        end_child(server);
    }
    show_log(server);
    s3_server_stop(server);
    return false;
}

void s3_server_stop(struct s3_server *server) {
    end_child(server);
    s3_server_end_uploads(server);
    if (*server->directory) (void)nftw(server->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    *server->directory = '\0';
}

/* ---- the environment of the code under test ---- */

void s3_server_clean_environment(void) {
    static const char *const names[] = {"S3_ACCESS_KEY_ID",
                                        "S3_SECRET_ACCESS_KEY",
                                        "S3_SESSION_TOKEN",
                                        "S3_REGION",
                                        "AWS_ACCESS_KEY_ID",
                                        "AWS_SESSION_TOKEN",
                                        "AWS_SECRET_ACCESS_KEY",
                                        "AWS_REGION",
                                        "AWS_DEFAULT_REGION",
                                        "AWS_PROFILE",
                                        "AWS_ENDPOINT_URL_S3",
                                        "AWS_ENDPOINT_URL",
                                        "AWS_CA_BUNDLE",
                                        "http_proxy",
                                        "https_proxy",
                                        "all_proxy",
                                        "HTTP_PROXY",
                                        "HTTPS_PROXY",
                                        "ALL_PROXY",
                                        "SLATEDB_S3_ENDPOINT_URL"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) (void)unsetenv(names[i]);
    (void)setenv("AWS_CONFIG_FILE", "/nonexistent", 1);
    (void)setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent", 1);
}

void s3_server_export(const struct s3_server *server) {
    s3_server_clean_environment();
    (void)setenv("AWS_ENDPOINT_URL", server->endpoint, 1);
    (void)setenv("AWS_ACCESS_KEY_ID", server->access_key_id, 1);
    (void)setenv("AWS_SECRET_ACCESS_KEY", server->secret_access_key, 1);
    (void)setenv("AWS_REGION", S3_SERVER_REGION, 1);
}
