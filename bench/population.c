/* SPDX-License-Identifier: MIT */
#include "population.h"

#include "cycles.h"
#include "floor.h"

#include <stdlib.h>

struct population population_new(size_t count, bool with_floor)
{
    struct population population = {
        .visitors = bench_alloc(count * sizeof(struct visitor)),
        .count = count,
        .floor = with_floor ? floor_new() : NULL,
        .manager = cycles_manager("memory", NULL, NULL),
    };
    for (size_t i = 0; i < count; i++) {
        struct visitor *visitor = &population.visitors[i];
        if (cycles_create(population.manager, 0, visitor) != SES_OK)
            bench_fail("cannot create a session");
        visitor->version = 1;
    }
    for (size_t i = 0; with_floor && i < count; i++)
        floor_insert(population.floor, population.visitors[i].cookie + 3, 1);
    return population;
}

void population_free(struct population *population)
{
    floor_free(population->floor);
    ses_manager_unref(population->manager);
    free(population->visitors);
    *population = (struct population){ 0 };
}
