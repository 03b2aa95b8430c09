/* The one table of verbs and options. */
#include "cli/verbs.h"

#include <limits.h>

#include "cli/progress.h"

/* What several verbs have alike. */
#define HELP_OPTION                                                                                                    \
    {                                                                                                                  \
        .id = OPTION_HELP, .letter = 'h', .name = "help", .help = "this page"                                          \
    }
#define LOG_OPTIONS                                                                                                    \
    {.id = OPTION_PROGRESS,                                                                                            \
     .name = "progress",                                                                                               \
     .value = "WHEN",                                                                                                  \
     .help = "live progress on stderr; auto is on a terminal only",                                                    \
     .choices = progress_modes},                                                                                       \
        {.id = OPTION_QUIET, .letter = 'q', .name = "quiet", .help = "only warnings and errors, no receipt"},          \
    {                                                                                                                  \
        .id = OPTION_VERBOSE, .letter = 'v', .name = "verbose", .help = "debug messages as well"                       \
    }

/* Which records, how fast, and whether in earnest: replay, archive, dlq redrive. */
#define STRETCH_OPTIONS                                                                                                \
    {.id = OPTION_FROM, .name = "from", .value = "T", .help = "the first in it, see below (beginning)"},               \
        {.id = OPTION_TO, .name = "to", .value = "T", .help = "the first behind it (now)"},                            \
        {.id = OPTION_PARTITIONS,                                                                                      \
         .name = "partitions",                                                                                         \
         .value = "LIST",                                                                                              \
         .help = "only these: 0,2-5 of each topic, orders/3 of one (all)"},                                            \
        {.id = OPTION_KEY, .name = "key", .value = "K", .help = "only records with this key"},                         \
        {.id = OPTION_WHERE,                                                                                           \
         .name = "where",                                                                                              \
         .value = "EXPR",                                                                                              \
         .help = "only records that it holds for: 'header.tenant=acme', 'key!=42', joined by ' && '"},                 \
        {.id = OPTION_LATE,                                                                                            \
         .name = "late",                                                                                               \
         .value = "TIME",                                                                                              \
         .help = "look for records of the window up to one that is so much later than its end (1m)"},                  \
        {.id = OPTION_NAME,                                                                                            \
         .name = "name",                                                                                               \
         .value = "NAME",                                                                                              \
         .help = "keep the progress under NAME: the same command goes on after an interruption"},                      \
        {.id = OPTION_RATE, .name = "rate", .value = "N", .help = "at most so many records: 5000/s, 300/m"},           \
        {.id = OPTION_SPEED,                                                                                           \
         .name = "speed",                                                                                              \
         .value = "X",                                                                                                 \
         .help = "at most X times as fast as the records came, by their timestamps: 10x"},                             \
        {.id = OPTION_MAX_RECORDS,                                                                                     \
         .name = "max-records",                                                                                        \
         .value = "N",                                                                                                 \
         .help = "end after so many records",                                                                          \
         .number = true},                                                                                              \
        {.id = OPTION_TIMEOUT,                                                                                         \
         .name = "timeout",                                                                                            \
         .value = "TIME",                                                                                              \
         .help = "how long the brokers may take to answer for the plan (30s)",                                         \
         .duration = true},                                                                                            \
        {.id = OPTION_EXECUTE, .name = "execute", .help = "do it; without, there is only the plan"},                   \
        {.id = OPTION_ADMIN,                                                                                           \
         .name = "admin",                                                                                              \
         .value = "PORT",                                                                                              \
         .help = "open an admin port meanwhile (none)",                                                                \
         .number = true},                                                                                              \
        {.id = OPTION_RECEIPT,                                                                                         \
         .name = "receipt",                                                                                            \
         .value = "FILE",                                                                                              \
         .help = "write the closing receipt as JSON to FILE (\"-\": stdout)"},                                         \
    {                                                                                                                  \
        .id = OPTION_JSON, .name = "json", .help = "plan, progress, log lines and receipt as JSON, one object a line"  \
    }

static const struct option REPLAY_OPTIONS[] = {
    STRETCH_OPTIONS,
    {.id = OPTION_STORE,
     .name = "store",
     .value = "NAME",
     .help = "into this store of FILE only, by its name or type (all of them)"},
    {.id = OPTION_DRY_RUN_STORE,
     .name = "dry-run-store",
     .help = "do all but the write: counts what would be stored, dropped and dead-lettered"},
    {.id = OPTION_FROM_ARCHIVE,
     .name = "from-archive",
     .value = "DIR",
     .help = "out of the files that `weir archive` wrote there, and not out of the topics"},
    {.id = OPTION_INTO_TOPIC,
     .name = "into-topic",
     .value = "TOPIC",
     .help = "as they are into this topic of the same cluster, and not through the pipeline"},
    {.id = OPTION_SAME_TOPIC,
     .name = "same-topic",
     .help = "with --into-topic: yes, into a topic that the service consumes"},
    LOG_OPTIONS,
    HELP_OPTION,
    {0},
};

static const char *const ARCHIVE_FORMATS[] = {"frames", "ndjson", NULL};

static const struct option ARCHIVE_OPTIONS[] = {
    {.id = OPTION_DIR, .name = "dir", .value = "DIR", .help = "where the files are, or go; made when it is not there"},
    {.id = OPTION_FORMAT,
     .name = "format",
     .value = "FORMAT",
     .help = "bit for bit, what replay reads; or lines for people (frames)",
     .choices = ARCHIVE_FORMATS},
    {.id = OPTION_SEGMENT, .name = "segment", .value = "SIZE", .help = "begin another file at this size (256MiB)"},
    {.id = OPTION_LEVEL, .name = "level", .value = "N", .help = "zstd's level, 1 to 19 (3)", .number = true},
    {.id = OPTION_LIST, .name = "list", .help = "say what DIR has, by partition; takes no FILE"},
    {.id = OPTION_VERIFY, .name = "verify", .help = "the same, and read every record of it"},
    STRETCH_OPTIONS,
    LOG_OPTIONS,
    HELP_OPTION,
    {0},
};

static const struct option RUN_OPTIONS[] = {
    {.id = OPTION_EXIT_AT_END,
     .name = "exit-at-end",
     .help = "stop at the end offsets seen at the start: a batch job, a test"},
    {.id = OPTION_RECEIPT,
     .name = "receipt",
     .value = "FILE",
     .help = "write the closing receipt as JSON to FILE (\"-\": stdout)"},
    {.id = OPTION_JSON, .name = "json", .help = "log lines and receipt as JSON, one object a line"},
    LOG_OPTIONS,
    HELP_OPTION,
    {0},
};

static const struct option CHECK_OPTIONS[] = {
    {.id = OPTION_LIVE,
     .name = "live",
     .help = "connect as well: brokers, topics, group, stores; changes nothing there"},
    {.id = OPTION_TIMEOUT,
     .name = "timeout",
     .value = "TIME",
     .help = "how long the source, and each store, may take to answer (10s)",
     .duration = true},
    {.id = OPTION_JSON, .name = "json", .help = "findings as JSON, one object a line"},
    {.id = OPTION_VERBOSE, .letter = 'v', .name = "verbose", .help = "what the clients say meanwhile, on stderr"},
    HELP_OPTION,
    {0},
};

static const struct option TEST_OPTIONS[] = {
    {.id = OPTION_FILTER, .name = "filter", .value = "TEXT", .help = "only scenarios whose name has TEXT in it"},
    {.id = OPTION_JUNIT, .name = "junit", .value = "FILE", .help = "write the results to FILE as JUnit's XML, for CI"},
    {.id = OPTION_JSON, .name = "json", .help = "results as JSON, one object a line"},
    {.id = OPTION_QUIET, .letter = 'q', .name = "quiet", .help = "only what failed, and the summary"},
    {.id = OPTION_VERBOSE, .letter = 'v', .name = "verbose", .help = "what the pipelines log, on stderr"},
    HELP_OPTION,
    {0},
};

static const struct option LAG_OPTIONS[] = {
    {.id = OPTION_FOR,
     .name = "for",
     .value = "TIME",
     .help = "look again and again for so long, to see whether it moves (one look)",
     .duration = true},
    {.id = OPTION_EVERY,
     .name = "every",
     .value = "TIME",
     .help = "from one look to the next, with --for (5s)",
     .duration = true},
    {.id = OPTION_TIMEOUT,
     .name = "timeout",
     .value = "TIME",
     .help = "how long the brokers may take to answer a look (10s)",
     .duration = true},
    {.id = OPTION_JSON, .name = "json", .help = "one JSON document instead of the table"},
    {.id = OPTION_VERBOSE, .letter = 'v', .name = "verbose", .help = "what the client says meanwhile, on stderr"},
    HELP_OPTION,
    {0},
};

/* Which dead letters: of what kind, and in what part of their topic. */
#define LETTER_KIND_OPTIONS                                                                                            \
    {.id = OPTION_STAGE, .name = "stage", .value = "NAME", .help = "those that this stage or store refused"},          \
    {                                                                                                                  \
        .id = OPTION_CLASS, .name = "class", .value = "NAME", .help = "those of this class of error"                   \
    }
#define LETTER_OPTIONS                                                                                                 \
    LETTER_KIND_OPTIONS,                                                                                               \
        {.id = OPTION_FROM,                                                                                            \
         .name = "from",                                                                                               \
         .value = "TIME",                                                                                              \
         .help = "of records from TIME on: RFC 3339, -2h, or partition@offset of the letters (beginning)"},            \
        {.id = OPTION_TO, .name = "to", .value = "TIME", .help = "of records before TIME (now)"},                      \
        {.id = OPTION_PARTITIONS,                                                                                      \
         .name = "partitions",                                                                                         \
         .value = "LIST",                                                                                              \
         .help = "those in these partitions of the letters' topic: 0,3-5"},                                            \
        {.id = OPTION_KEY, .name = "key", .value = "KEY", .help = "those with this key"},                              \
    {                                                                                                                  \
        .id = OPTION_WHERE, .name = "where", .value = "CONDITION", .help = "those with a header: 'header.tenant=acme'" \
    }
#define LETTER_READ_OPTIONS                                                                                            \
    {.id = OPTION_TIMEOUT,                                                                                             \
     .name = "timeout",                                                                                                \
     .value = "TIME",                                                                                                  \
     .help = "how long the brokers may take to say what is there (10s)",                                               \
     .duration = true},                                                                                                \
    {                                                                                                                  \
        .id = OPTION_VERBOSE, .letter = 'v', .name = "verbose", .help = "what the client says meanwhile, on stderr"    \
    }

static const struct option DLQ_LIST_OPTIONS[] = {
    LETTER_OPTIONS,
    {.id = OPTION_JSON, .name = "json", .help = "one JSON document instead of the tables"},
    LETTER_READ_OPTIONS,
    HELP_OPTION,
    {0},
};

static const struct option DLQ_SHOW_OPTIONS[] = {
    {.id = OPTION_LAST, .name = "last", .help = "the latest by its timestamp, of those that the other options choose"},
    {.id = OPTION_HEX, .name = "hex", .help = "key and value as hex dumps"},
    {.id = OPTION_RAW, .name = "raw", .help = "the value alone, byte for byte"},
    {.id = OPTION_JSON, .name = "json", .help = "all of it as a JSON object"},
    LETTER_OPTIONS,
    LETTER_READ_OPTIONS,
    HELP_OPTION,
    {0},
};

static const struct option DLQ_REDRIVE_OPTIONS[] = {
    LETTER_KIND_OPTIONS,
    {.id = OPTION_TO_SOURCE,
     .name = "to-source",
     .help = "back into the topics they came from, for the service to consume"},
    {.id = OPTION_MAX_ATTEMPTS,
     .name = "max-attempts",
     .value = "N",
     .help = "pass over letters that were refused so often (5)",
     .number = true},
    STRETCH_OPTIONS,
    {.id = OPTION_STORE,
     .name = "store",
     .value = "NAME",
     .help = "into this store of FILE only, by its name or type (all of them)"},
    {.id = OPTION_DRY_RUN_STORE,
     .name = "dry-run-store",
     .help = "do all but the write: counts what would be stored, dropped and dead-lettered"},
    LOG_OPTIONS,
    HELP_OPTION,
    {0},
};

#define ADMIN_OPTION                                                                                                   \
    {                                                                                                                  \
        .id = OPTION_ADMIN, .name = "admin", .value = "URL",                                                           \
        .help = "the service's admin port, instead of FILE (http://127.0.0.1:8080)"                                    \
    }

static const char *const ANSWERS[] = {"forwarded", "stored", "dropped", "rejected", NULL};

static const struct option TAP_OPTIONS[] = {
    {.id = OPTION_STAGE,
     .letter = 's',
     .name = "stage",
     .value = "NAME",
     .help = "records as they come out of this stage or store, or of intake"},
    {.id = OPTION_WHERE,
     .letter = 'w',
     .name = "where",
     .value = "TEST",
     .help = "only records for which it holds: header.x=y, key!=k, .path=value"},
    {.id = OPTION_ANSWER,
     .name = "answer",
     .value = "WHICH",
     .help = "only with these answers, with commas between",
     .choices = ANSWERS,
     .several = true},
    {.id = OPTION_SAMPLE,
     .name = "sample",
     .value = "HOW",
     .help = "1/100: each hundredth; 5/s: five a second (1000/s)"},
    {.id = OPTION_LIMIT, .letter = 'n', .name = "limit", .value = "N", .help = "end after N records", .number = true},
    {.id = OPTION_FOR, .name = "for", .value = "TIME", .help = "end after so long (10m)", .duration = true},
    {.id = OPTION_JSON, .name = "json", .help = "one JSON object a line, the counts in the last"},
    ADMIN_OPTION,
    HELP_OPTION,
    {0},
};

static const struct option TOP_OPTIONS[] = {
    {.id = OPTION_EVERY, .name = "every", .value = "TIME", .help = "from one look to the next (1s)", .duration = true},
    {.id = OPTION_ONCE, .name = "once", .help = "one picture, after two looks, and the end: for a log"},
    {.id = OPTION_JSON, .name = "json", .help = "what the service says at each look, one JSON object a line"},
    ADMIN_OPTION,
    HELP_OPTION,
    {0},
};

static const struct option DEMO_OPTIONS[] = {
    {.id = OPTION_RECORDS,
     .letter = 'n',
     .name = "records",
     .value = "N",
     .help = "orders to produce (1000000)",
     .number = true},
    {.id = OPTION_DIR,
     .name = "dir",
     .value = "DIR",
     .help = "where config, table and database go (weir-demo-UID in $TMPDIR or /tmp)"},
    {.id = OPTION_KEEP, .name = "keep", .help = "go on with the database of the last demo instead of a new one"},
    LOG_OPTIONS,
    HELP_OPTION,
    {0},
};

static const struct option VERSION_OPTIONS[] = {
    {.id = OPTION_JSON, .name = "json", .help = "as a JSON object"},
    HELP_OPTION,
    {0},
};

static const struct option HELP_ONLY[] = {HELP_OPTION, {0}};

static const struct option HELP_OPTIONS[] = {
    {.id = OPTION_MAN, .name = "man", .help = "all of it as a man page (roff)"},
    HELP_OPTION,
    {0},
};

static const char *const SCHEMAS[] = {"config", "test", NULL};
static const char *const SHELLS[] = {"bash", "zsh", "fish", NULL};

const struct exit_words command_exits[] = {
    {EXIT_OK, "done"},           {EXIT_FAILED, "failure"},
    {EXIT_USAGE, "usage"},       {EXIT_UNAVAILABLE, "unavailable"},
    {EXIT_INTERNAL, "internal"}, {EXIT_NOT_DRAINED, "stopped with records in flight"},
    {EXIT_CONFIG, "config"},     {0},
};

const struct verb command_verbs[] = {
    {.name = "run",
     .arguments = "FILE",
     .least = 1,
     .most = 1,
     .help = "run the service that FILE describes",
     .options = RUN_OPTIONS,
     .run = verb_run,
     .examples = "  weir run orders.yaml\n"
                 "  weir run orders.yaml --exit-at-end --receipt receipt.json\n",
     .details = "SIGTERM or SIGINT drains: nothing more is taken in, what is in flight is stored and committed within\n"
                "`shutdown`. A second signal abandons what is in flight; it is consumed again by the next run.\n"
                "Exits with 0 when drained, 75 when not, 1 after a failure, 69 when restarts did not help, 78 when\n"
                "FILE has mistakes. \"-\" is standard input.\n"},
    {.name = "check",
     .arguments = "FILE...",
     .least = 1,
     .most = UINT_MAX,
     .help = "find every mistake in configs; needs no broker without --live",
     .options = CHECK_OPTIONS,
     .run = verb_check,
     .examples = "  weir check orders.yaml\n"
                 "  weir check --live --timeout 5s orders.yaml\n"
                 "  weir check --json conf/*.yaml\n",
     .details =
         "Also reads the lookup tables and other files that stages need. With --live it asks the brokers for the\n"
         "topics and the group's offsets, and opens each store, as `weir run` would: every problem is told with\n"
         "its place. It joins no group, and makes no topic, table, folder or file.\n"
         "Exits with 78 when there is a mistake, 69 when something is only out of reach. Warnings alone are good.\n"},
    {.name = "test",
     .arguments = "PATH...",
     .least = 1,
     .most = UINT_MAX,
     .help = "run scenario files: records in, what is expected out; needs no broker",
     .options = TEST_OPTIONS,
     .run = verb_test,
     .examples = "  weir test orders_test.yaml\n"
                 "  weir test tests/ --junit results.xml\n"
                 "  weir test tests/ --filter tombstone -v\n",
     .details =
         "A scenario names a config, or has a part of one in it, gives records, and says what is stored,\n"
         "dead-lettered and dropped. It runs through the pipeline as `weir run` builds it; stores only keep what\n"
         "they would write, and stages that ask others can be answered for. Of a folder, all *.yaml files with\n"
         "scenarios in them are run, those of its folders too, in the order of their names. docs/testing.md\n"
         "tells all about such files, `weir schema test` prints their JSON Schema.\n"
         "Exits with 0 when all passed, 1 when one failed, 78 when a scenario file or a config has mistakes.\n"},
    {.name = "lag",
     .arguments = "FILE",
     .least = 1,
     .most = 1,
     .help = "show how far the service of FILE is behind, and whether it moves",
     .options = LAG_OPTIONS,
     .run = verb_lag,
     .examples = "  weir lag orders.yaml\n"
                 "  weir lag --for 30s --every 5s orders.yaml\n"
                 "  weir lag --for 1m --json orders.yaml | jq .state\n",
     .details =
         "For each partition: what the group has committed, the end, the lag in records and in time (the age of the\n"
         "first record that is not consumed yet, by its timestamp), and a state with its reason:\n"
         "  OK       caught up, now or in between; or behind and getting nearer\n"
         "  UNKNOWN  behind, and one look does not tell whether it moves: see --for\n"
         "  WARN     it moves, but the lag does not shrink; or the committed offset went back, or is not in the log\n"
         "  STALL    a member has it, and it does not move\n"
         "  STOP     no member of the group has it\n"
         "The states are Burrow's, judged over the window of --for. The service may run or not, and does not notice:\n"
         "nothing joins the group or commits. A partition without a commit is behind by what `start` says.\n"
         "Exits with 0 when nothing is worse than WARN, 1 when a partition is in STALL or STOP, 69 when the brokers "
         "do\n"
         "not answer or a topic is missing, 78 when FILE has mistakes or a right is missing.\n"},
    {.name = "replay",
     .arguments = "FILE",
     .least = 1,
     .most = 1,
     .help = "put a stretch of the topics of FILE through its pipeline once more",
     .options = REPLAY_OPTIONS,
     .run = verb_replay,
     .examples =
         "  weir replay orders.yaml --from 2026-11-25T10:00:00Z --to 2026-11-25T10:10:00Z\n"
         "  weir replay orders.yaml --from -2h --name fix-1 --rate 5000/s --execute\n"
         "  weir replay orders.yaml --from orders/0@1200,orders/1@900 --max-records 100 --dry-run-store --execute\n"
         "  weir replay orders.yaml --from-archive /backup/orders --into-topic orders.restored --execute\n",
     .details =
         "T is a point in time (2026-11-25T10:00:00Z, with an offset as +01:00; 2026-11-25 is midnight, UTC), a time\n"
         "before now (-2h, -1d12h), `beginning`, `now`, or offsets: TOPIC/PARTITION@OFFSET, more of them after "
         "commas,\n"
         "without TOPIC/ where there is one topic; partitions that are not named are left out then. A window of time\n"
         "is one of the records' timestamps.\n"
         "Prints a plan: of each partition what would be read, how long it takes, where it goes, and what becomes of\n"
         "records that are there already. Nothing else happens without --execute.\n"
         "It reads beside the live service: joins no group, and commits nothing but its own progress (--name, in a\n"
         "group of that name). One that is finished says so; another --name does it again. Stores keep the offsets of\n"
         "an exactly-once replay under the service's name and NAME.\n"
         "SIGTERM or SIGINT ends it when what is in flight is stored. Exits with 0 when all of it is done (or there "
         "is\n"
         "nothing to do), 75 when it was interrupted, 64, 69 and 78 as the others, 1 after a failure.\n"},
    {.name = "dlq list",
     .arguments = "FILE",
     .least = 1,
     .most = 1,
     .help = "count the dead letters of FILE's service by stage, class and time",
     .options = DLQ_LIST_OPTIONS,
     .run = verb_dlq_list,
     .examples = "  weir dlq list orders.yaml\n"
                 "  weir dlq list orders.yaml --from -2h --stage decode\n"
                 "  weir dlq list orders.yaml --json | jq '.groups[0]'\n",
     .details =
         "Reads the topic of `errors.dead_letter`: the service may run or not, no group is joined, and nothing is\n"
         "committed. Times are those of the records, as the letters have them in weir.source.timestamp.\n"},
    {.name = "dlq show",
     .arguments = "FILE [LETTER]",
     .least = 1,
     .most = 2,
     .help = "show one dead letter: why, where it came from, headers, key and value",
     .options = DLQ_SHOW_OPTIONS,
     .run = verb_dlq_show,
     .examples = "  weir dlq show orders.yaml 0@17\n"
                 "  weir dlq show orders.yaml --last --class constraint\n"
                 "  weir dlq show orders.yaml orders.dlq/0@17 --raw > value.bin\n",
     .details =
         "LETTER is where it is, PARTITION@OFFSET, as `weir dlq list` tells it. JSON is indented, text is text, and\n"
         "what is neither is dumped.\n"
         "Exits with 1 when there is no such letter.\n"},
    {.name = "dlq redrive",
     .arguments = "FILE",
     .least = 1,
     .most = 1,
     .help = "put dead letters through the pipeline of FILE again, or back into their topics",
     .options = DLQ_REDRIVE_OPTIONS,
     .run = verb_dlq_redrive,
     .examples = "  weir dlq redrive orders.yaml\n"
                 "  weir dlq redrive orders.yaml --class constraint --execute\n"
                 "  weir dlq redrive orders.yaml --to-source --rate 500/s --execute\n",
     .details =
         "Each letter becomes the record that it was: key, value, headers, timestamp, and in templates the topic,\n"
         "partition and offset that it came from. Without --execute it says which letters would be taken.\n"
         "What fails again is a dead letter again, with weir.attempts one higher; the end is fixed at the start, so\n"
         "it is not taken in the same run. Letters refused --max-attempts times, whose value was cut, from topics\n"
         "that FILE does not consume, or with a newer letter of the same record, are passed over and counted; see\n"
         "docs/dead-letters.md. All letters stay in their topic: the progress says which are done, under --name and\n"
         "a name of these options' own. So the same command goes on where the last one ended; with another --name it\n"
         "begins anew. So it does after 7 days without a run, as brokers forget the progress then\n"
         "(offsets.retention.minutes): it takes letters again that are done, unless --from says where they end.\n"
         "T is as `weir help replay` has it, by the timestamps that the records had, which are looked for in all\n"
         "letters, whatever --late says; offsets are those of the letters. Exits as `weir replay` does.\n"},
    {.name = "tap",
     .arguments = "[FILE]",
     .most = 1,
     .help = "show samples of records as they pass the running service",
     .options = TAP_OPTIONS,
     .run = verb_tap,
     .examples = "  weir tap orders.yaml --stage decode --limit 10\n"
                 "  weir tap orders.yaml --stage enrich --where 'header.tenant=acme && .status!=PAID'\n"
                 "  weir tap orders.yaml --stage decode --answer rejected --json | jq .message\n"
                 "  weir tap --admin http://127.0.0.1:8080 --stage sqlite --sample 1/1000 --for 1m\n",
     .details =
         "Records are shown as they are when they leave the stage, with its answer: forwarded, dropped, rejected\n"
         "with class and message; those of a store when they are stored or rejected, those of intake as they were\n"
         "consumed. --where: header.NAME, key or .PATH (not at intake), = or !=, and a value; several joined\n"
         "by \" && \". \"quotes\" make it text; without them it is text, or what it is in JSON.\n"
         "The service is never slowed down: at most 100,000 records a second are compared, 1,000 shown, and what\n"
         "finds the tap full is dropped. The end says how many these were. Four can tap at a time. A tap ends after\n"
         "an hour at the latest, and when it reads nothing for 10 s.\n"
         "The service's admin port must listen on this machine only, or its config allow it (admin: {tap: always}).\n"
         "Exits with 0 at its end, 64 when the stage or the test is wrong, 69 when there is no service.\n"},
    {.name = "top",
     .arguments = "[FILE]",
     .most = 1,
     .help = "watch the running service: stages, queues, rates, latencies, what blocks",
     .options = TOP_OPTIONS,
     .run = verb_top,
     .examples = "  weir top orders.yaml\n"
                 "  weir top --admin http://127.0.0.1:8080 --every 5s\n"
                 "  weir top orders.yaml --once\n"
                 "  weir top orders.yaml --json | jq .records.lag\n",
     .details =
         "q or Ctrl-C ends it, a blank looks at once. Rates and latencies (half of the batches take up to P50, 99 % up "
         "to\n"
         "P99) are of the time between two looks. What blocks is the stage or store behind the last queue that is\n"
         "over half full: what holds up all that comes before it. A service that goes away is waited for.\n"
         "Without a terminal, or where TERM is dumb, a plain picture is written at each look. NO_COLOR is honoured.\n"
         "--json has what GET /status of the admin port has: counts since the service began, and histograms.\n"},
    {.name = "archive",
     .arguments = "[FILE]",
     .most = 1,
     .help = "write a stretch of the topics of FILE to files, from which replay reads it",
     .options = ARCHIVE_OPTIONS,
     .run = verb_archive,
     .examples = "  weir archive orders.yaml --dir /backup/orders --from -1d --execute\n"
                 "  weir archive orders.yaml --dir /tmp/look --format ndjson --from -10m --execute\n"
                 "  weir archive --dir /backup/orders --verify\n"
                 "  weir replay orders.yaml --from-archive /backup/orders --into-topic orders.restored --execute\n",
     .details =
         "The stretch is named and planned as with `weir replay`; nothing happens without --execute. Key, value,\n"
         "headers and timestamp are kept bit for bit, null apart from empty, in compressed frames with checksums and\n"
         "an index by time: DIR/TOPIC/PARTITION-OFFSET.weir. What DIR has already is not written again, so the same\n"
         "command goes on after an interruption. ndjson is for reading: one JSON object a record, see\n"
         "docs/archive.md; after an interruption some records may stand there twice.\n"
         "Exits as replay does; --list and --verify with 1 when something is damaged.\n"},
    {.name = "demo",
     .arguments = "",
     .help = "run everything on an embedded broker with generated orders",
     .options = DEMO_OPTIONS,
     .run = verb_demo,
     .examples = "  weir demo\n"
                 "  weir demo --records 5000000 --dir /tmp/orders\n",
     .details =
         "Starts a Kafka cluster (librdkafka's mock) inside this process, feeds it zstd-compressed JSON orders, some\n"
         "of them broken, and runs an ordinary config on it: decode, filter, look the customer up in a CSV table,\n"
         "add fields, store into SQLite; what is broken goes to a dead-letter topic. Config, table and database\n"
         "stay in DIR to look at.\n"},
    {.name = "schema",
     .arguments = "[KIND]",
     .most = 1,
     .choices = SCHEMAS,
     .help = "print the JSON Schema of configs, or of test's scenario files, for editors",
     .options = HELP_ONLY,
     .run = verb_schema,
     .examples = "  weir schema > weir.schema.json\n"
                 "  weir schema test > weir-test.schema.json\n",
     .details = "KIND is config or test. An editor with a YAML language server uses it when a file begins with\n"
                "  # yaml-language-server: $schema=weir.schema.json\n"},
    {.name = "completion",
     .arguments = "SHELL",
     .least = 1,
     .most = 1,
     .choices = SHELLS,
     .help = "print what makes bash, zsh or fish complete the command line",
     .options = HELP_ONLY,
     .run = verb_completion,
     .examples = "  weir completion bash > /etc/bash_completion.d/weir\n"
                 "  weir completion zsh > /usr/local/share/zsh/site-functions/_weir\n"
                 "  weir completion fish > ~/.config/fish/completions/weir.fish\n",
     .details = "`make install` does it for all three. For this one bash: eval \"$(weir completion bash)\"\n"},
    {.name = "version",
     .arguments = "",
     .help = "print the versions of weir and what is inside",
     .options = VERSION_OPTIONS,
     .run = verb_version},
    {.name = "help",
     .arguments = "[VERB]",
     .most = 2,
     .help = "print this, or all about VERB",
     .options = HELP_OPTIONS,
     .run = verb_help},
    {0},
};
