/* SPDX-License-Identifier: MIT */
#include "harness.h"
#include "report.h"
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Minutes; a bench that hangs ends all the same. */
enum { PATIENCE_S = 60 * 60 };

/* Of the last minute, before anything is measured. */
static const double load_max = 0.5;

static const char usage[] =
    "usage: script/bench [--quick] [--sessions N] [ROW...]\n"
    "\n"
    "Prints what a session costs beside what no design avoids (the floor), as one table.\n"
    "\n"
    "  read, write, create  a cycle of one request, wall nanoseconds over all threads\n"
    "  memory               resident bytes per session, the floor being its record\n"
    "  expiry               a reader's p99.9 while 500,000 sessions end and are collected\n"
    "  logins               a log-in beside a session of nobody; a read with all defences beside\n"
    "                       none; a user's 10 sessions among 1,000,000 beside 100,000; a made-up "
    "id\n"
    "                       beside none\n"
    "  seal                 a sealed session of 400 bytes beside the bare cipher and base64url\n"
    "  file                 the provider \"file\" beside the bare system calls of its layout, and\n"
    "                       beside a temporary file and a rename; some 5 GB of disk below TMPDIR\n"
    "  redis                a load, and a load and a save, of the provider redis beside bare "
    "hiredis\n"
    "                       with the same commands and connections; its near cache beside the\n"
    "                       memory provider, and the delay of a change beside a trip\n"
    "  sql                  a load, and a load and a save, of the providers sqlite, mysql and "
    "postgres\n"
    "                       beside their bare prepared statements; gc, and a reader's p99 beside "
    "it;\n"
    "                       1,000,000 rows, some 1 GB of disk below TMPDIR for each\n"
    "  sqlite, mysql, postgres\n"
    "                       one of these\n"
    "  page                 processor time per request of the smallest page, without and with\n"
    "  instructions         the same cycles and page, counted by callgrind\n"
    "\n"
    "Without a ROW: all of them. --quick: shorter runs, 100,000 sessions only. --sessions N:\n"
    "N of them, where it is otherwise 100,000 and 1,000,000.\n";

enum row {
    READ,
    WRITE,
    CREATE,
    MEMORY,
    EXPIRY,
    LOGINS,
    SEAL,
    FILES,
    REDIS,
    SQLITE,
    MYSQL,
    POSTGRES,
    PAGE,
    INSTRUCTIONS,
    ROWS
};

static const char *const row_names[ROWS] = {
    "read", "write", "create", "memory", "expiry",   "logins", "seal",
    "file", "redis", "sqlite", "mysql",  "postgres", "page",   "instructions",
};

struct choice {
    struct options options;
    size_t sessions; /* 0: the usual two sizes */
    bool rows[ROWS];
};

static bool choose_row(struct choice *choice, const char *name)
{
    if (strcmp(name, "sql") == 0)
        return choice->rows[SQLITE] = choice->rows[MYSQL] = choice->rows[POSTGRES] = true;
    for (int i = 0; i < ROWS; i++) {
        if (strcmp(name, row_names[i]) == 0)
            return choice->rows[i] = true;
    }
    return false;
}

static _Noreturn void end_with_usage(FILE *stream, int status)
{
    (void)fputs(usage, stream);
    bench_exit(status);
}

static size_t sessions_of(const char *text)
{
    char *end = NULL;
    const unsigned long long number = text ? strtoull(text, &end, 10) : 0;
    if (!text || *end != '\0' || number < 100 || number > 100000000)
        end_with_usage(stderr, 2);
    return (size_t)number;
}

static struct choice choose(int argc, char **argv)
{
    struct choice choice = { 0 };
    bool any = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0)
            end_with_usage(stdout, 0);
        if (strcmp(argv[i], "--quick") == 0)
            choice.options.quick = true;
        else if (strcmp(argv[i], "--sessions") == 0)
            choice.sessions = sessions_of(argv[++i]);
        else if (choose_row(&choice, argv[i]))
            any = true;
        else
            end_with_usage(stderr, 2);
    }
    for (int i = 0; !any && i < ROWS; i++)
        choice.rows[i] = true;
    return choice;
}

static void rows_of_size(const struct choice *choice, size_t sessions)
{
    const struct cycle_choice cycles = {
        .read = choice->rows[READ],
        .write = choice->rows[WRITE],
        .create = choice->rows[CREATE],
    };
    if (cycles.read || cycles.write || cycles.create)
        row_cycles(&choice->options, sessions, &cycles);
    if (choice->rows[MEMORY])
        row_memory(&choice->options, sessions);
}

static void rows_of_files(const struct choice *choice)
{
    if (!choice->rows[FILES])
        return;
    row_file(&choice->options, choice->sessions ? choice->sessions : 10000);
    if (!choice->sessions && !choice->options.quick)
        row_file(&choice->options, 1000000);
}

static void rows_of_databases(const struct choice *choice)
{
    const size_t usual = choice->options.quick ? 100000 : 1000000;
    for (int row = SQLITE; row <= POSTGRES; row++) {
        if (choice->rows[row])
            row_sql(&choice->options, row_names[row], choice->sessions ? choice->sessions : usual);
    }
}

static void print_setting(void)
{
    double load = 0;
    (void)getloadavg(&load, 1);
    printf("%u cores; records of %zu bytes (the floor's: 400); memory provider\n", bench_cores(),
           record_bytes());
    if (load > load_max)
        printf(
            "warning: the machine is at work already (load %.1f): ratios may hold, times do not\n",
            load);
    (void)fputc('\n', stdout);
}

static int run(const struct choice *choice)
{
    print_setting();
    report_head();
    rows_of_size(choice, choice->sessions ? choice->sessions : 100000);
    if (!choice->sessions && !choice->options.quick)
        rows_of_size(choice, 1000000);
    if (choice->rows[EXPIRY])
        row_expiry(&choice->options);
    if (choice->rows[LOGINS])
        row_logins(&choice->options);
    if (choice->rows[SEAL])
        row_seal();
    rows_of_files(choice);
    if (choice->rows[REDIS])
        row_redis(&choice->options);
    rows_of_databases(choice);
    if (choice->rows[PAGE])
        row_page(&choice->options);
    if (choice->rows[INSTRUCTIONS])
        row_instructions(&choice->options);
    report_foot();
    return 0;
}

int main(int argc, char **argv)
{
    (void)alarm(PATIENCE_S);
    if (argc == 3 && strcmp(argv[1], "--child-memory") == 0)
        return child_memory(strtoull(argv[2], NULL, 10));
    if (argc == 4 && strcmp(argv[1], "--child-instructions") == 0)
        return child_instructions(argv[2], strtoull(argv[3], NULL, 10));
    const struct choice choice = choose(argc, argv);
    return run(&choice);
}
