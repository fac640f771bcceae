/* What the C contenders share: the lines they speak, the ring of pipes, the stopwatch, processors. */
#ifndef RUNNER_H
#define RUNNER_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <sched.h>
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

/* Of those this process may use the first, or else the last; nothing where that is the same. */
static int pin(int is_other)
{
    static cpu_set_t usable;
    cpu_set_t one;
    int first = 0, last = CPU_SETSIZE - 1;
    if (CPU_COUNT(&usable) == 0)
        need(sched_getaffinity(0, sizeof usable, &usable) == 0, "sched_getaffinity");
    while (!CPU_ISSET(first, &usable))
        first++;
    while (!CPU_ISSET(last, &usable))
        last--;
    CPU_ZERO(&one);
    CPU_SET(is_other ? last : first, &one);
    need(sched_setaffinity(0, sizeof one, &one) == 0, "sched_setaffinity");
    return first != last;
}

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

/* Nanoseconds that `act` takes. Never inlined: callgrind counts what runs below it. */
static __attribute__((noinline)) double timed(void (*act)(uint64_t), uint64_t ops)
{
    double begun = now_ns();
    act(ops);
    return now_ns() - begun;
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
