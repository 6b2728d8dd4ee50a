/*
 * A process builds and publishes one snapshot after the other, and is killed at random moments, over and over; over files
 * and over a real S3 server. Whatever was going on: what is served is one snapshot, whole, and not older than the last one
 * of which the process was told; every manifest names what is there; another may go on with the run once its lease is
 * over; and the next writer tidies up.
 *
 * The program starts itself: `test_stress_writer_kill child URL DIRECTORY SHARED` publishes until it is killed. It is linked
 * with the modules, so that leases can be short.
 */
#include "harness/s3_server.h"
#include "stress/published.h"
#include "stress/stress.h"
#include "writer/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SELF "/proc/self/exe"
#define KEYS 300u
#define SHARDS 3u
#define VALUE_BYTES 120u
#define BUCKET "kills"
#define RENEW_MS 15
#define LEASE_MS 80

extern char **environ;

/* ---- shared between the processes ---- */

enum moment { STARTING, OPENING, WRITING, PUBLISHING, CLOSING, MOMENTS };
static const char *const moment_names[] = {"starting", "opening", "writing", "publishing", "closing"};

struct shared {
    atomic_uint moment;
    atomic_uint generation; /* of the run under way, or over */
    atomic_uint told;       /* the newest generation of which a publish told that it succeeded */
    atomic_uint published;  /* how many did */
};
static struct shared *shared;

static void map_shared(const char *path) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0 && ftruncate(fd, sizeof *shared) == 0);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    REQUIRE(shared != MAP_FAILED);
    (void)close(fd);
}

/* ---- snapshots: every value says its generation ---- */

static size_t make_value(char *value, unsigned key, unsigned generation) {
    size_t size = 16 + stress_mix(key, generation, 3) % (VALUE_BYTES - 16);
    memset(value, 'a' + (int)(generation % 26), size);
    memcpy(value, &generation, sizeof generation);
    memcpy(value + 8, &key, sizeof key);
    return size;
}

static void write_rows(shf_writer *writer, unsigned generation) {
    static char values[KEYS][VALUE_BYTES];
    static shf_row rows[KEYS];
    shf_op *op = NULL;
    for (unsigned key = 0; key < KEYS; key++) {
        SHF_INIT(&rows[key]);
        rows[key].key = shf_key_from_int(key);
        rows[key].value = (shf_slice){values[key], make_value(values[key], key, generation)};
    }
    (void)shf_write_sync(writer, rows, KEYS, 0, &op);
    REQUIRE_SUCCESS(op);
    shf_op_release(op);
}

static shf_writer_options options_of(const char *url, const char *local_root, const char *run_id) {
    shf_writer_options options;
    SHF_INIT(&options);
    options.url = url;
    options.backend = SHF_WRITE_KV;
    options.num_dbs = SHARDS;
    options.run_id = run_id;
    options.local_root = local_root;
    return options;
}

static void make_run_id(char out[32], unsigned generation) { (void)snprintf(out, 32, "generation-%u", generation); }

/* ---- the child ---- */

static void set_moment(enum moment moment) { atomic_store(&shared->moment, moment); }

static void run_once(shf_runtime *runtime, const char *url, const char *local_root) {
    char run_id[32];
    unsigned generation = atomic_fetch_add(&shared->generation, 1) + 1;
    shf_op *op = NULL;
    shf_writer *writer = NULL;
    set_moment(OPENING);
    make_run_id(run_id, generation);
    shf_writer_options options = options_of(url, local_root, run_id);
    (void)shf_writer_open_sync(runtime, &options, 0, &op);
    REQUIRE_SUCCESS(op);
    REQUIRE_STATUS(shf_op_take_writer(op, &writer), SHF_OK);
    shf_op_release(op);
    set_moment(WRITING);
    write_rows(writer, generation);
    set_moment(PUBLISHING);
    (void)shf_publish_sync(writer, 0, &op);
    REQUIRE_SUCCESS(op);
    shf_op_release(op);
    atomic_store(&shared->told, generation);
    atomic_fetch_add(&shared->published, 1);
    set_moment(CLOSING);
    (void)shf_writer_close_sync(writer, 0, &op);
    REQUIRE_SUCCESS(op);
    shf_op_release(op);
    shf_writer_release(writer);
}

static int be_child(char **argv) {
    stress_choose_seed();
    map_shared(argv[4]);
    shf_lease_times = (struct shf_lease_times){.renew_ms = RENEW_MS, .lease_ms = LEASE_MS};
    shf_runtime *runtime = stress_runtime(2, 0, 0);
    pid_t parent = getppid();
    while (getppid() == parent) run_once(runtime, argv[2], argv[3]);
    return 1;
}

/* ---- the parent ---- */

struct place {
    const char *url;
    char *directory; /* where its objects are as files */
    char *local_root, *cache, *shared_path;
    shf_runtime *runtime;
    unsigned longest_us; /* that a process may live: twice what one publish takes on this machine */
    unsigned moments[MOMENTS], resumed, was_published, served_early;
};

static pid_t start(const struct place *place) {
    pid_t child = 0;
    char *arguments[] = {
        strdup(SELF), strdup("child"), strdup(place->url), strdup(place->local_root), strdup(place->shared_path), NULL};
    REQUIRE(posix_spawn(&child, SELF, NULL, NULL, arguments, environ) == 0);
    for (int i = 0; arguments[i]; i++) free(arguments[i]);
    return child;
}

static void kill_now(pid_t child) {
    int result = 0;
    REQUIRE(kill(child, SIGKILL) == 0);
    while (waitpid(child, &result, 0) < 0) REQUIRE(errno == EINTR);
    REQUIRE(WIFSIGNALED(result) && WTERMSIG(result) == SIGKILL);
}

/* The first one publishes in peace, however long that takes here. */
static void learn_pace(struct place *place) {
    int64_t begin = stress_now_ms();
    pid_t child = start(place);
    while (atomic_load(&shared->published) == 0) {
        REQUIRE(waitpid(child, NULL, WNOHANG) == 0);
        stress_nap_us(200);
    }
    place->longest_us = (unsigned)(stress_now_ms() - begin + 1) * 2000;
    kill_now(child);
}

static void kill_at_a_random_moment(struct place *place, struct stress_random *random) {
    set_moment(STARTING);
    pid_t child = start(place);
    while (atomic_load(&shared->moment) == STARTING && waitpid(child, NULL, WNOHANG) == 0) stress_nap_us(200);
    stress_nap_us(stress_random_below(random, place->longest_us));
    kill_now(child);
    place->moments[atomic_load(&shared->moment)]++;
}

static unsigned check_values(shf_reader *reader) {
    shf_key keys[KEYS];
    char wanted[VALUE_BYTES];
    unsigned generation = 0;
    shf_op *op = NULL;
    for (unsigned key = 0; key < KEYS; key++) keys[key] = shf_key_from_int(key);
    (void)shf_multi_get_sync(reader, keys, KEYS, NULL, 0, &op);
    REQUIRE_SUCCESS(op);
    for (unsigned key = 0; key < KEYS; key++) {
        shf_value value;
        SHF_INIT(&value);
        REQUIRE_STATUS(shf_op_value(op, key, &value), SHF_OK);
        REQUIRE(value.status == SHF_OK && value.data.size >= 16);
        if (key == 0) memcpy(&generation, value.data.data, sizeof generation);
        size_t size = make_value(wanted, key, generation);
        if (value.data.size != size || memcmp(value.data.data, wanted, size) != 0) {
            stress_fail(__FILE__, __LINE__, "key %u is not of generation %u", key, generation);
        }
    }
    shf_op_release(op);
    return generation;
}

/* The generation that is served; 0: none is yet. */
static unsigned look(const struct place *place) {
    shf_reader_options options;
    shf_op *op = NULL;
    shf_reader *reader = NULL;
    SHF_INIT(&options);
    options.url = place->url;
    options.local_root = place->cache;
    shf_status status = shf_open_sync(place->runtime, &options, 0, &op);
    if (status == SHF_E_STATE && !atomic_load(&shared->told)) {
        shf_op_release(op);
        return 0;
    }
    REQUIRE_SUCCESS(op);
    REQUIRE_STATUS(shf_op_take_reader(op, &reader), SHF_OK);
    shf_op_release(op);
    unsigned generation = check_values(reader);
    stress_close(reader);
    return generation;
}

static void require_state(struct place *place) {
    unsigned served = look(place), told = atomic_load(&shared->told), begun = atomic_load(&shared->generation);
    if (served < told || served > begun) {
        stress_fail(__FILE__, __LINE__, "served is %u; %u was told, %u begun", served, told, begun);
    }
    place->served_early += served > told;
    atomic_store(&shared->told, served); /* it stays */
    (void)published_require_whole(place->directory, place->url, false);
}

/* Waits until the lease of the run is over, then goes on with it; or learns that it was published. */
static void resume(struct place *place) {
    unsigned generation = atomic_load(&shared->generation);
    char run_id[32];
    shf_op *op = NULL;
    shf_writer *writer = NULL;
    make_run_id(run_id, generation);
    shf_writer_options options = options_of(place->url, place->local_root, run_id);
    options.flags = SHF_WRITE_RESUME;
    int64_t end = stress_now_ms() + 10000;
    for (;;) {
        shf_status status = shf_writer_open_sync(place->runtime, &options, 0, &op);
        if (!status) break;
        const char *message = shf_error_message(shf_op_error(op));
        REQUIRE_STATUS(status, SHF_E_STATE);
        if (strstr(message, "was published")) {
            REQUIRE(look(place) == generation);
            place->was_published++;
            shf_op_release(op);
            return;
        }
        if (!strstr(message, "holds its lease")) stress_fail(__FILE__, __LINE__, "%s", message);
        shf_op_release(op);
        REQUIRE(stress_now_ms() < end);
        stress_nap_us(10000);
    }
    REQUIRE_STATUS(shf_op_take_writer(op, &writer), SHF_OK);
    shf_op_release(op);
    write_rows(writer, generation);
    (void)shf_publish_sync(writer, 0, &op);
    REQUIRE_SUCCESS(op);
    shf_op_release(op);
    (void)shf_writer_close_sync(writer, 0, &op);
    REQUIRE_SUCCESS(op);
    shf_op_release(op);
    shf_writer_release(writer);
    REQUIRE(look(place) == generation);
    atomic_store(&shared->told, generation);
    place->resumed++;
}

static void require_tidy(const struct place *place) {
    unsigned left = published_count(place->local_root, ".shardy-build-");
    if (left) stress_fail(__FILE__, __LINE__, "%u directories to build in are left", left);
    if (strcmp(place->local_root, place->directory) != 0) return;
    /* Half-written objects lie beside where they were to be; no store lists them. */
    printf("  %u temporary files of killed processes are left beside objects\n",
           published_count(place->directory, ".shardy-tmp-"));
}

static void kill_again_and_again(struct place *place, unsigned kills, uint64_t stream) {
    struct stress_random random = stress_random_stream(stream);
    shf_lease_times = (struct shf_lease_times){.renew_ms = RENEW_MS, .lease_ms = LEASE_MS};
    map_shared(place->shared_path);
    place->runtime = stress_runtime(2, 0, 0);
    learn_pace(place);
    for (unsigned i = 0; i < kills; i++) {
        kill_at_a_random_moment(place, &random);
        require_state(place);
        if (i % 4 == 3) resume(place);
    }
    atomic_fetch_add(&shared->generation, 1); /* one that nobody began: it sweeps what the last left */
    resume(place);
    unsigned manifests = published_require_whole(place->directory, place->url, true);
    printf("  %u kills:", kills);
    for (int i = 0; i < MOMENTS; i++)
        printf(" %u while %s%s", place->moments[i], moment_names[i], i + 1 < MOMENTS ? "," : "");
    printf("\n  %u published, %u resumed, %u of those to be resumed were published; %u served before it was told; %u "
           "manifests\n",
           shared->published, place->resumed, place->was_published, place->served_early, manifests);
    require_tidy(place);
    REQUIRE(place->moments[PUBLISHING] > 0 && place->resumed > 0 && shared->published > 0);
    stress_runtime_end(place->runtime);
    (void)munmap(shared, sizeof *shared);
}

static void files(void) {
    char *root = support_temporary_directory();
    char *prefix = support_path("%s/prefix", root), *url = support_path("file://%s", prefix);
    struct place place = {.url = url,
                          .directory = prefix,
                          .local_root = prefix,
                          .cache = support_path("%s/cache", root),
                          .shared_path = support_path("%s/shared", root)};
    kill_again_and_again(&place, stress_scale(200, 40, 15), 500);
    support_remove_tree(root);
    free(root);
    free(prefix);
    free(url);
    free(place.cache);
    free(place.shared_path);
}

static void s3(void) {
    struct s3_server server;
    char *root = support_temporary_directory();
    if (!s3_server_is_there()) return;
    REQUIRE(s3_server_start(&server) && s3_server_make_bucket(&server, BUCKET));
    s3_server_export(&server);
    struct place place = {.url = "s3://" BUCKET "/prefix",
                          .directory = support_path("%s/data/" BUCKET "/prefix", server.directory),
                          .local_root = support_path("%s/local", root),
                          .cache = support_path("%s/cache", root),
                          .shared_path = support_path("%s/shared", root)};
    kill_again_and_again(&place, stress_scale(200, 40, 15), 501);
    s3_server_stop(&server);
    support_remove_tree(root);
    free(root);
    free(place.directory);
    free(place.local_root);
    free(place.cache);
    free(place.shared_path);
}

int main(int argc, char **argv) {
    static const struct stress_scenario scenarios[] = {{"files", files}, {"s3", s3}};
    if (argc == 5 && strcmp(argv[1], "child") == 0) return be_child(argv);
    return stress_main(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);
}
