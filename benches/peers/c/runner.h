/* What the C contenders share: the lines they speak, the ring of pipes, the stopwatch. */
#ifndef RUNNER_H
#define RUNNER_H
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static const char *work;
static size_t n, active_bytes;
static int *readers, *writers; /* writers[i] writes into the pipe after readers[i] */

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

static int is(const char *name) { return strcmp(work, name) == 0; }

static void need(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        exit(1);
    }
}

static void make_ring(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    readers = calloc(n, sizeof *readers);
    writers = calloc(n, sizeof *writers);
    for (size_t i = 0; i < n; i++) {
        int ends[2];
        need(pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0, "pipe2");
        readers[i] = ends[0];
        writers[(i + n - 1) % n] = ends[1];
    }
}

static void put(int fd) { need(write(fd, "e", 1) == 1, "write"); }

static void pass_on(size_t i)
{
    char byte;
    need(read(readers[i], &byte, 1) == 1, "read");
    put(writers[i]);
}

static void prime(size_t count)
{
    for (size_t i = 0; i < count; i++)
        put(writers[i * n / count]);
}

/* The same timeouts as the Rust contenders'. */
static uint64_t timeout_ms(size_t at)
{
    uint64_t mixed = ((uint64_t)at * 0x9e3779b97f4a7c15u) >> 32;
    return 1000 + mixed % 3600000;
}

static uint64_t short_us(size_t at) { return timeout_ms(at) / 1000 % 1000; }

static void until_due(void) { usleep(3000); }

static void start(char **argv, int argc)
{
    need(argc == 4, "WORK N ACTIVE");
    work = argv[1];
    n = strtoul(argv[2], NULL, 10);
    active_bytes = strtoul(argv[3], NULL, 10);
}

static void none(const char *reason)
{
    printf("none %s\n", reason);
    exit(0);
}

/* Answers batch after batch until the input ends. */
static void serve(double (*batch)(uint64_t))
{
    char line[64];
    printf("ready\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        printf("%f\n", batch(strtoull(line, NULL, 10)));
        fflush(stdout);
    }
}
#endif
