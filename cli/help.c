#include "cli/help.h"

#include <shardyfusion/shardyfusion.h>
#include <string.h>

static const char overview[] = "shardy - read and build sharded key-value and vector snapshots on S3 or in files\n"
                               "\n"
                               "Examples:\n"
                               "  shardy -u s3://bucket/prefix get nginx --value-encoding utf8\n"
                               "  shardy -u ./snapshot search --like nginx --top-k 5\n"
                               "  shardy -u ./snapshot multiget nginx curl git --output-format table\n"
                               "  cat keys.txt | shardy -u ./snapshot multiget - --flat > answers.jsonl\n"
                               "  export SHARDY_CURRENT=s3://bucket/prefix/_CURRENT; shardy info\n"
                               "  shardy build rows.jsonl --vectors vectors.npy --output s3://bucket/prefix\n"
                               "\n"
                               "Usage: shardy [FLAGS] COMMAND [ARGUMENTS] [FLAGS]\n"
                               "\n"
                               "Commands:\n"
                               "  get KEY            the value of one key\n"
                               "  multiget KEY...    the values of many keys, or of those on standard input (-)\n"
                               "  search [QUERY]     the nearest neighbours of a vector\n"
                               "  info               what the snapshot is\n"
                               "  shards             its shards\n"
                               "  route KEY          the shard of a key\n"
                               "  health             whether the snapshot can be served, and how old it is\n"
                               "  history            the newest manifests\n"
                               "  build INPUT...     a new snapshot from JSON lines, and vectors if there are any\n"
                               "  recall             how much searches find with so many probes, and what they cost\n"
                               "\n";

static const char global_flags[] =
    "Flags of every command:\n"
    "  -u, --current-url URL       the snapshot: s3://bucket/prefix, file:///path or a path (else SHARDY_CURRENT,\n"
    "                              else current_url of reader.toml); a last part that begins with _ is the pointer\n"
    "      --ref REF | --offset N  that manifest instead of the current one (0 = the latest)\n"
    "      --output-format FORMAT  json, jsonl, table or text (default: table on a terminal, else jsonl)\n"
    "      --value-encoding HOW    base64, utf8 or hex (default: base64)\n"
    "      --key-format HOW        auto, text, hex, base64 or json: how keys are typed (default: auto)\n"
    "      --config PATH           reader.toml (else SHARDY_CONFIG, ./, ~/.config/shardy/)\n"
    "      --credentials PATH      credentials.toml (else SHARDY_CREDENTIALS, ./, ~/.config/shardy/)\n"
    "      --s3-option KEY=VALUE   addressing_style, signature_version, verify_ssl, connect_timeout, read_timeout,\n"
    "                              max_attempts, endpoint_url, region_name, region, anonymous\n"
    "      --local-root DIR        the local cache (default: $XDG_CACHE_HOME/shardyfusion)\n"
    "      --sqlite-mode MODE      download, range or auto; so far every mode downloads\n"
    "      --sqlite-auto-per-shard-bytes N, --sqlite-auto-total-bytes N\n"
    "                              where auto goes over to range reads (default: 16 MiB, 2 GiB)\n"
    "      --memory-budget BYTES   what may be allocated for data (default: 1 GiB; of build: 512 MiB)\n"
    "      --max-concurrency N     shard operations in flight\n"
    "      --max-open-shards N     in snapshots of vectors only: so many shards stay open, each opened when it is "
    "searched\n"
    "      --timeout SECONDS       for each operation (default: 60, none for opening and building; 0 = none)\n"
    "      --color WHEN            auto, always or never (NO_COLOR is honoured)\n"
    "  -v, --verbose               say more (-vv: everything); -q, --quiet: no warnings; --no-progress\n"
    "  -h, --help                  help, also of a command: shardy get --help\n"
    "      --version               the version and what it reads\n";

static const struct {
    enum cli_command command;
    const char *text;
} command_help[] = {
    {CLI_GET, "Examples:\n"
              "  shardy -u ./snapshot get nginx --value-encoding utf8\n"
              "  shardy -u ./snapshot get nginx --raw > value.bin\n"
              "  shardy -u ./snapshot get --key-format hex 00000000000000ff --strict\n"
              "\n"
              "Usage: shardy get KEY [FLAGS]\n"
              "\n"
              "Prints the value of one key. An absent key is a result; it ends with 0.\n"
              "\n"
              "  --strict                    end with 1 when the key is absent\n"
              "  --raw                       the bytes of the value alone (nothing for an absent key)\n"
              "  --routing-context K=V       a column that the sharding needs (repeatable)\n"},
    {CLI_MULTIGET,
     "Examples:\n"
     "  shardy -u ./snapshot multiget nginx curl git --value-encoding utf8\n"
     "  cat keys.txt | shardy -u ./snapshot multiget - --flat > answers.jsonl\n"
     "  jq -c .id rows.jsonl | shardy -u ./snapshot multiget - --flat --key-format json\n"
     "\n"
     "Usage: shardy multiget KEY... [FLAGS]\n"
     "       shardy multiget - [FLAGS]      one key a line of standard input\n"
     "\n"
     "  --flat                      one answer a line, as the keys come, in bounded memory; a key that is wrong\n"
     "                              has its error in its place, and the command then ends with 1\n"
     "  --routing-context K=V       a column that the sharding needs (repeatable)\n"},
    {CLI_SEARCH,
     "Examples:\n"
     "  shardy -u ./snapshot search --like nginx --top-k 5\n"
     "  shardy -u ./snapshot search 0.1,-0.2,0.3,0.4 --shard-ids 0,2\n"
     "  shardy -u ./snapshot search --vector-file question.npy --explain\n"
     "  shardy -u ./snapshot search --queries questions.jsonl > answers.jsonl\n"
     "\n"
     "Usage: shardy search (QUERY | --vector-file F.npy | --like ID | --queries FILE) [FLAGS]\n"
     "\n"
     "Prints the rows nearest to a vector. The score is a distance: lower is nearer.\n"
     "\n"
     "  QUERY                       floats separated by commas\n"
     "  --vector-file F.npy         one vector: float16, float32 or float64\n"
     "  --like ID                   the stored vector of this id (an integer id first, where it reads as one)\n"
     "  --queries FILE              many: rows of an .npy file, or JSON lines (- = standard input):\n"
     "                              {\"vector\":[...]} or {\"vector_base64\":\"<float32 LE>\"}, and if wanted top_k,\n"
     "                              shard_ids, routing_context, num_probes, exact; one answer a line, in order\n"
     "  --top-k N                   how many rows (default: 10)\n"
     "  --shard-ids 0,2             only in these shards (\"\" = in none)\n"
     "  --routing-context K=V       where to search, where the sharding knows (repeatable)\n"
     "  --num-probes N              shards to visit, in snapshots of vectors only (default: the snapshot's number)\n"
     "  --exact                     exact distances and order; so far every search is exact\n"
     "  --explain                   also the plan and where the time went\n"},
    {CLI_RECALL,
     "Examples:\n"
     "  shardy -u ./snapshot recall --plot recall.svg\n"
     "  shardy -u ./snapshot recall --queries questions.npy --num-probes 4,8,16 --top-k 20\n"
     "  shardy -u ./snapshot recall --sample 1000 --target 0.99 --output-format json\n"
     "\n"
     "Usage: shardy recall [--queries FILE | --sample N] [FLAGS]\n"
     "\n"
     "Compares searches that probe some shards with exact ones, in a snapshot of vectors only: the share of the exact\n"
     "rows that they find (recall) and their latency, asked one after another. Searches of other snapshots are exact;\n"
     "of them one line tells the latency.\n"
     "\n"
     "  --queries FILE              vectors to ask for: rows of an .npy file, or JSON lines (- = standard input)\n"
     "  --sample N                  ask for so many stored vectors instead, each without itself (default: 200);\n"
     "                              --queries N is the same\n"
     "  --seed N                    which ones are drawn (default: 42)\n"
     "  --num-probes 1,2,4          measure these (default: 1, 2, 4, ... up to all shards, the snapshot's own number,\n"
     "                              and what is between until the smallest that reaches the target is known)\n"
     "  --target R                  the recall wanted on average (default: 0.95)\n"
     "  --top-k N                   how many rows (default: 10)\n"
     "  --shard-ids 0,2             how much of all is found in these shards, whatever the sharding\n"
     "  --routing-context K=V       where to search, where the sharding knows (repeatable)\n"
     "  --plot F.svg                also as a picture\n"},
    {CLI_INFO, "Example:\n  shardy -u ./snapshot info --output-format json\n\n"
               "Usage: shardy info [FLAGS]\n\nPrints what the snapshot is. Reads the manifest only.\n"},
    {CLI_SHARDS, "Example:\n  shardy -u ./snapshot shards --output-format table\n\n"
                 "Usage: shardy shards [FLAGS]\n\nPrints the shards, empty ones too. Reads the manifest only.\n"},
    {CLI_ROUTE,
     "Example:\n  shardy -u ./snapshot route nginx\n\n"
     "Usage: shardy route KEY [FLAGS]\n\nPrints the shard that a key belongs to, whether it is there or not.\n\n"
     "  --routing-context K=V       a column that the sharding needs (repeatable)\n"},
    {CLI_HEALTH, "Example:\n  shardy -u s3://bucket/prefix health --staleness-threshold 86400\n\n"
                 "Usage: shardy health [FLAGS]\n\n"
                 "Opens the snapshot with all its shards. Ends with 0 (healthy), 1 (degraded: older than the\n"
                 "threshold) or 2 (can not be served).\n\n"
                 "  --staleness-threshold S     seconds\n"},
    {CLI_HISTORY, "Example:\n  shardy -u ./snapshot history --limit 5\n\n"
                  "Usage: shardy history [FLAGS]\n\nLists the newest manifests, newest first.\n\n"
                  "  --limit N                   how many (default: 10)\n"},
    {CLI_BUILD,
     "Examples:\n"
     "  shardy build rows.jsonl --output s3://bucket/prefix\n"
     "  shardy build rows.jsonl.zst --vectors vectors.npy --metric cosine --output ./snapshot --num-dbs 8\n"
     "  zcat rows.gz | shardy build - --output ./snapshot --max-keys-per-shard 500000 --on-error skip\n"
     "  shardy build rows.jsonl --vectors vectors.npy --backend vector --num-dbs 64 --num-probes 8 --output ./vectors\n"
     "\n"
     "Usage: shardy build INPUT... --output URL [FLAGS]\n"
     "\n"
     "Builds a snapshot and publishes it when every shard is complete. INPUT is JSON lines (- = standard input), one\n"
     "row each: {\"key\":..., \"value\":..., \"id\":..., \"vector\":[...], \"payload\":{...}}; plain, gzip or zstd.\n"
     "Prints a summary as JSON.\n"
     "\n"
     "  --output URL                s3://bucket/prefix, file:///path or a path\n"
     "  --vectors F                 .npy (float16, float32, float64) or .fvecs: vector i belongs to line i\n"
     "  --backend KIND              unified, kv or vector: vectors alone, below (default: unified when there are\n"
     "                              vectors, else kv)\n"
     "  --num-dbs N | --max-keys-per-shard N\n"
     "                              how many shards (default: one for each 256 MiB of input)\n"
     "  --cel-expr E                the expression decides where a row goes, not the hash of its key\n"
     "  --cel-column NAME:TYPE      a column of it (repeatable): int, uint, double, bool, string or bytes. key is the\n"
     "                              key; others are members of a line, or of its \"routing_context\":{...}\n"
     "  --routing-values V,V,...    the results; each has a shard, in this order (default: the result is a number)\n"
     "  --infer-routing-values      the same, with the results that the rows have, sorted\n"
     "  --key-format HOW            of JSON strings: hex and base64 give bytes; text takes no integers\n"
     "  --value-format HOW          utf8 (default), base64, hex, or json: the text of any JSON value\n"
     "  --key-encoding E            u64be, u32be, utf8 or raw (default: u64be for integers, utf8 for text,\n"
     "                              raw for bytes)\n"
     "  --metric M                  cosine (default) or l2\n"
     "  --page-size N               of shards: 4096 to 65536, or auto (default)\n"
     "  --no-sidecar                no shard.sidecar beside the shards\n"
     "  --run-id ID                 name of the run (default: random)\n"
     "  --resume                    go on with a --run-id that was not published; the inputs are given again\n"
     "  --keep-attempts             do not delete what failed attempts of this run left behind\n"
     "  --dry-run                   check and count everything, write nothing\n"
     "  --on-duplicate error|last   rows with one key: an error (default), or the last one counts\n"
     "  --on-error stop|skip        a bad line: the end (default), or left out and counted\n"
     "  --jobs N                    threads, and shards built at a time (default: the cores)\n"
     "  --seed N                    of what is random: centroids and hyperplanes that are not given (default: 42)\n"
     "  --local-root DIR            for sorting and building (default: $TMPDIR or /var/tmp; in files: the output)\n"
     "  --memory-budget BYTES       512MiB, 2GB, ... (default: 512 MiB); a line may take three eighths of it\n"
     "\n"
     "Vectors alone (--backend vector): rows are ids, vectors and payloads. The id of a line is its \"id\", else its\n"
     "\"key\"; values are passed over.\n"
     "\n"
     "  --vector-sharding HOW       which shard a row belongs to (default: as the flags below ask for, else cluster):\n"
     "                              cluster   that of the nearest centroid\n"
     "                              lsh       by the sides of random hyperplanes that it is on\n"
     "                              explicit  its \"shard_id\", below --num-dbs\n"
     "                              cel       by --cel-expr over its columns, which a search gives too\n"
     "  --num-probes N              shards that a search visits where it does not say (default: 1); cluster and lsh\n"
     "  --centroids F.npy           cluster: a row a shard (default: found among the rows by k-means)\n"
     "  --training-rows N           at most so many rows are looked at for that (default: 100000),\n"
     "  --training-rounds N         at most so often (default: 100)\n"
     "  --hash-bits N               lsh: how many hyperplanes, 1 to 63 (default: 8)\n"
     "  --hyperplanes F.npy         lsh: a row each (default: drawn)\n"},
};

void cli_help_print(struct cli_out *out, enum cli_command command) {
    for (size_t i = 0; i < sizeof command_help / sizeof command_help[0]; i++) {
        if (command_help[i].command != command) continue;
        cli_out_string(out, command_help[i].text);
        cli_out_string(out, "\nFlags of every command: shardy --help. The manual: man shardy\n");
        return;
    }
    cli_out_string(out, overview);
    cli_out_string(out, global_flags);
    cli_out_string(out, "\nEnds with 0 on success, 1 on errors, 2 on wrong usage. The manual: man shardy\n");
}

void cli_version_print(struct cli_out *out) {
    cli_out_format(out, "shardy %s (libshardyfusion %s)\n", SHF_VERSION_STRING, shf_version());
    cli_out_string(out, "stores: s3, file\n"
                        "shards: sqlite, sqlite-vec, slatedb, lancedb\n"
                        "sharding: hash, cel; vectors alone: cluster, lsh, explicit, cel\n"
                        "builds: sqlite, sqlite-vec\n"
                        "search: exact (cosine, l2; lancedb: dot_product)\n");
}
