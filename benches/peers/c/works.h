/* The works, in words that each library's program says in its own way. It includes this once, behind runner.h
 * and its type of a `span`, and defines what is declared here; no more is needed. */
#ifndef WORKS_H
#define WORKS_H
#include <pthread.h>
#include <sys/eventfd.h>

/* Why the library has no part in `work`, or NULL. */
static const char *lacks(void);
static void open_loop(void);
/* Waits and runs the callbacks of what is ready, turn after turn, until `stop` is called in one or nothing
 * is started any more. */
static void run(void);
static void stop(void);
/* What was started and stopped is known to the kernel from here on. */
static void tell_kernel(void);

/* Readable sources. The callback calls the function below that is named as the work. */
static void new_source(size_t i, int fd);
static void start_source(size_t i, int has_timeout);
static void stop_source(size_t i, int has_timeout);
static void drop_source(size_t i);
static void refresh_timeout(size_t i);
static void want_write(size_t i, int wanted);
/* Whether a source that has run must be stopped to be a one-shot. */
static const int stays;

/* Timers; a span is a time in the library's own unit. */
static span span_of(uint64_t us);
static void start_timer(size_t i, span after);
static void move_timer(size_t i, span after);
static void stop_timer(size_t i);

/* Their callbacks call `hop` and `next_signal`, or `hop` and `answer`. */
static void start_signal(int number);
static void start_waker(void);
static void wake(void);

/* How many callbacks have run, and after how many the run is to end. */
static uint64_t hops, goal;

static inline void hop(void)
{
    if (++hops == goal)
        stop();
}

/* A library that stops at the end of a turn may run more. */
static void run_until(uint64_t end)
{
    goal = end;
    if (hops < goal)
        run();
}

/* A ring. Each callback of a source is one of these, by the work. */

static inline void plain(size_t i)
{
    pass_on(i);
    hop();
}

static inline void refresh(size_t i)
{
    plain(i);
    refresh_timeout(i);
}

static inline void again(size_t i)
{
    plain(i);
    stop_source(i, 1);
    start_source(i, 1);
}

static inline void toggle(size_t i)
{
    want_write(i, 1);
    plain(i);
    want_write(i, 0);
}

static inline void once(size_t i)
{
    plain(i);
    if (stays)
        stop_source(i, 0);
}

/* Of five callbacks, in this order, the one for `work`. */
#define CALLBACK(on_plain, on_refresh, on_again, on_toggle, on_once)                                  \
    (is("ring-timeout") ? on_refresh                                                                  \
     : is("ring-again") ? on_again                                                                    \
     : is("toggle")     ? on_toggle                                                                   \
     : is("cascade")    ? on_once                                                                     \
                        : on_plain)

static void ring(uint64_t ops) { run_until(ops); }

static void cascade(uint64_t ops)
{
    while (hops < ops) {
        for (size_t i = 0; i < n; i++)
            start_source(i, 0);
        run_until(hops + n);
    }
}

static void new_ring(void)
{
    make_ring();
    for (size_t i = 0; i < n; i++) {
        new_source(i, readers[i]);
        if (!is("cascade"))
            start_source(i, is("ring-timeout") || is("ring-again"));
    }
    prime(active_bytes);
}

/* Sources that come and go. */

static void add_delete(uint64_t ops)
{
    for (; hops < ops; hops++) {
        stop_source(0, 0);
        start_source(0, 0);
    }
}

static void new_one(void)
{
    make_ring();
    new_source(0, readers[0]);
    start_source(0, 0);
}

static void register_new(uint64_t ops)
{
    for (; hops < ops; hops++) {
        int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        need(fd >= 0, "eventfd");
        new_source(0, fd);
        start_source(0, 0);
        tell_kernel();
        stop_source(0, 0);
        drop_source(0);
        close(fd);
    }
}

/* Timers. */

static span *spans, *moved;
static uint64_t longest_us;

static void add_timers(uint64_t ops)
{
    (void)ops;
    for (; hops < n; hops++)
        start_timer(hops, spans[hops]);
}

static void move_timers(uint64_t ops)
{
    (void)ops;
    for (; hops < n; hops++)
        move_timer(hops, moved[hops]);
}

static void cancel_timers(uint64_t ops)
{
    (void)ops;
    for (; hops < n; hops++)
        stop_timer(hops);
}

static void expire_timers(uint64_t ops)
{
    (void)ops;
    run_until(n);
}

/* And for some ticks of the kernel, for those who count in these. */
static void wait_until_due(void) { usleep(longest_us + 20000); }

static void prepare_timers(void)
{
    cancel_timers(n);
    hops = 0;
    tell_kernel();
    if (is("timer-add"))
        return;
    add_timers(n);
    hops = 0;
    if (is("timer-expire"))
        wait_until_due();
}

/* The same timeouts as the Rust contenders'. */
static void new_timers(void)
{
    int are_short = is("timer-expire") || is("timer-moved");
    int are_later = is("timer-later") || is("timer-moved");
    spans = calloc(n, sizeof *spans);
    moved = calloc(n, sizeof *moved);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t mixed = (i * 0x9e3779b97f4a7c15u) >> 32;
        uint64_t us = are_short ? mixed % n : (1000 + mixed % 3600000) * 1000;
        uint64_t moved_us = are_later ? us * 2 : us / 2, longer_us = moved_us > us ? moved_us : us;
        spans[i] = span_of(us);
        moved[i] = span_of(moved_us);
        longest_us = longer_us > longest_us ? longer_us : longest_us;
    }
}

/* What comes from elsewhere. */

static pid_t own;

static inline void next_signal(void)
{
    if (hops < goal)
        kill(own, SIGUSR1);
}

static void send_signals(uint64_t ops)
{
    kill(own, SIGUSR1);
    run_until(ops);
}

static int wanted[2], answers[2];

static inline void answer(void) { put(answers[1]); }

static void *other_thread(void *arg)
{
    uint64_t wakes;
    char answer;
    (void)arg;
    pin(is("wake-other"));
    while (read(wanted[0], &wakes, sizeof wakes) == sizeof wakes)
        for (; wakes > 0; wakes--) {
            wake();
            need(read(answers[0], &answer, 1) == 1, "read");
        }
    return NULL;
}

static void wakes(uint64_t ops)
{
    need(write(wanted[1], &ops, sizeof ops) == sizeof ops, "write");
    run_until(ops);
}

static void start_other(void)
{
    pthread_t thread;
    if (!pin(0) && is("wake-other"))
        none("there is one processor only");
    need(pipe2(wanted, O_CLOEXEC) == 0 && pipe2(answers, O_CLOEXEC) == 0, "pipe2");
    start_waker();
    need(pthread_create(&thread, NULL, other_thread, NULL) == 0, "pthread_create");
}

/* Which is done. */

static void (*prepare)(void), (*act)(uint64_t);

static double batch(uint64_t ops)
{
    hops = 0;
    if (prepare)
        prepare();
    double ns = timed(act, ops);
    if (is("timer-moved")) {
        wait_until_due();
        hops = 0;
        ns += timed(expire_timers, ops);
    }
    return ns / hops;
}

int main(int argc, char **argv)
{
    start(argv, argc);
    const char *reason = lacks();
    if (reason)
        none(reason);
    open_loop();
    if (strncmp(work, "ring", 4) == 0 || is("toggle") || is("cascade")) {
        new_ring();
        act = is("cascade") ? cascade : ring;
    } else if (is("add-delete")) {
        new_one();
        act = add_delete;
    } else if (is("register")) {
        act = register_new;
    } else if (strncmp(work, "timer-", 6) == 0) {
        new_timers();
        prepare = prepare_timers;
        act = is("timer-add")      ? add_timers
              : is("timer-cancel") ? cancel_timers
              : is("timer-expire") ? expire_timers
                                   : move_timers;
    } else if (is("signal")) {
        own = getpid();
        start_signal(SIGUSR1);
        act = send_signals;
    } else if (strncmp(work, "wake", 4) == 0) {
        start_other();
        act = wakes;
    } else
        none("it is not in this program");
    serve(batch);
    return 0;
}
#endif
