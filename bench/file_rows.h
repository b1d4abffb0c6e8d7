/* SPDX-License-Identifier: MIT */
#ifndef BENCH_FILE_ROWS_H
#define BENCH_FILE_ROWS_H

/* What sesame-bench-file tells the table by number. */
enum file_row {
    FILE_READ,
    FILE_READ_LEAST,
    FILE_WRITE,
    FILE_WRITE_LEAST,
    FILE_WRITE_TIME,
    FILE_WRITE_RENAMED,
    FILE_CREATE,
    FILE_GC,
    FILE_ROWS,
};

#endif
