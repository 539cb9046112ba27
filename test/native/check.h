/*
 * check.h — what the C tests share.
 *
 * A test is a program: it prints a line per case and exits with 0, with 1 at the first CHECK that
 * fails, or with 77 after SKIP. native.test.ts compiles and runs it.
 */
#ifndef P2PVPN_CHECK_H
#define P2PVPN_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fflush(stdout);                                                                        \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);              \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/* Compares whole numbers and prints both. */
#define CHECK_EQUAL(actual, expected)                                                              \
    do {                                                                                           \
        long long actual_ = (long long)(actual), expected_ = (long long)(expected);                \
        if (actual_ != expected_) {                                                                \
            fflush(stdout);                                                                        \
            fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #actual, actual_, \
                    expected_);                                                                    \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/* Names the case whose checks came before. */
#define PASSED(name) printf("ok %s\n", name)

#define SKIP(reason)                                                                               \
    do {                                                                                           \
        printf("skip: %s\n", reason);                                                              \
        exit(77);                                                                                  \
    } while (0)

#endif
