/* SPDX-License-Identifier: MIT */
#include "rows.h"

#include "cycles.h"
#include "floor.h"
#include "report.h"

enum { CREATE_SHARE = 16 };

static struct bench_plan plan_of(const struct options *options, struct population *population)
{
    return (struct bench_plan){
        .arg = population,
        .run_s = options->quick ? 0.1 : 0.4,
        .budget_s = options->quick ? 3 : 12,
    };
}

/* How much faster two threads are than one; the rounds of the two are not of one time, so there
 * is no spread of its own: the wider of the two is shown. */
static void report_scaling(const char *name, const struct report_row *one,
                           const struct report_row *two)
{
    struct report_row row = {
        .name = name,
        .sessions = one->sessions,
        .threads = two->threads,
        .kind = REPORT_AT_LEAST,
        .aim = 0.9,
        .digits = 2,
        .result = { .floor = one->result.floor / two->result.floor,
                    .ours = one->result.ours / two->result.ours },
    };
    row.result.ratio = one->result.ratio / two->result.ratio;
    row.result.spread =
        one->result.spread > two->result.spread ? one->result.spread : two->result.spread;
    report_row(&row);
}

struct pair_of_work {
    const char *name;
    const char *scaling;
    bench_work_fn *floor;
    bench_work_fn *ours;
    double aim;
    bool grows; /* its runs are of a fixed length, so that it grows by a known number */
};

static const struct pair_of_work reading = {
    "read", "  scaling (times)", floor_read, cycles_read, 1.5, false,
};
static const struct pair_of_work writing = {
    "write", "  scaling (times)", floor_write, cycles_write, 2.0, false,
};
static const struct pair_of_work creating = {
    "create", "  scaling (times)", floor_create, cycles_fresh, 0, true,
};

static void row_pair(const struct options *options, struct population *population,
                     const struct pair_of_work *pair)
{
    struct report_row rows[2] = { 0 };
    for (unsigned threads = 1; threads <= 2 && threads <= bench_cores(); threads++) {
        struct bench_plan plan = plan_of(options, population);
        plan.floor = pair->floor;
        plan.ours = pair->ours;
        plan.threads = threads;
        plan.operations = pair->grows ? population->count / CREATE_SHARE / threads : 0;
        rows[threads - 1] = (struct report_row){
            .name = pair->name,
            .sessions = population->count,
            .threads = threads,
            .kind = REPORT_TIMES,
            .aim = pair->aim,
            .digits = 0,
            .result = bench_measure(&plan),
        };
        report_row(&rows[threads - 1]);
    }
    if (bench_cores() >= 2 && pair->aim > 0)
        report_scaling(pair->scaling, &rows[0], &rows[1]);
}

void row_cycles(const struct options *options, size_t sessions, const struct cycle_choice *choice)
{
    struct population population = population_new(sessions, true);
    if (choice->read)
        row_pair(options, &population, &reading);
    if (choice->write)
        row_pair(options, &population, &writing);
    if (choice->create) /* last: it grows the tables */
        row_pair(options, &population, &creating);
    population_free(&population);
}
