/* libev; a timeout is a timer beside the source. With LIBEV_NOW=1 in the environment it is told the time before a
 * timeout starts: else that counts from the beginning of its turn. With LIBEV_SIGNALFD=1 it reads signals from a signalfd. */
#include "runner.h"
#include <ev.h>

typedef ev_tstamp span;
#include "works.h"

static struct ev_loop *loop;
static ev_io *pipes, *writes;
static ev_timer *clocks;
static ev_signal caught;
static ev_async waker;
static const int stays = 1;
static int is_told_the_time;

static const char *lacks(void)
{
    return is("ring-edge") ? "it has no edge-triggered sources" : NULL;
}

#define ON(name)                                                                                      \
    static void on_##name(struct ev_loop *l, ev_io *w, int what)                                      \
    {                                                                                                 \
        (void)l, (void)what;                                                                          \
        name(w - pipes);                                                                              \
    }
ON(plain) ON(refresh) ON(again) ON(toggle) ON(once)

#define ON_OTHER(name, type, act)                                                                     \
    static void name(struct ev_loop *l, type *w, int what)                                            \
    {                                                                                                 \
        (void)l, (void)w, (void)what;                                                                 \
        hop();                                                                                        \
        act;                                                                                          \
    }
ON_OTHER(on_timer, ev_timer, (void)0)
ON_OTHER(on_signal, ev_signal, next_signal())
ON_OTHER(on_wake, ev_async, answer())

static void open_loop(void)
{
    loop = ev_default_loop(getenv("LIBEV_SIGNALFD") ? EVFLAG_SIGNALFD : EVFLAG_AUTO);
    need(loop != NULL, "ev_default_loop");
    is_told_the_time = getenv("LIBEV_NOW") != NULL;
    pipes = calloc(n, sizeof *pipes);
    writes = calloc(n, sizeof *writes);
    clocks = calloc(n, sizeof *clocks);
    for (size_t i = 0; i < n; i++)
        ev_timer_init(&clocks[i], on_timer, 60., 60.);
}

static void run(void) { ev_run(loop, 0); }
static void stop(void) { ev_break(loop, EVBREAK_ONE); }

/* For timers it is the time of the loop that counts. */
static void tell_kernel(void)
{
    if (is("register"))
        ev_run(loop, EVRUN_NOWAIT);
    else
        ev_now_update(loop);
}

static void new_source(size_t i, int fd)
{
    ev_io_init(&pipes[i], CALLBACK(on_plain, on_refresh, on_again, on_toggle, on_once), fd, EV_READ);
    ev_io_init(&writes[i], on_plain, fd, EV_WRITE);
}

static void before_timeout(void)
{
    if (is_told_the_time)
        ev_now_update(loop);
}

static void start_source(size_t i, int has_timeout)
{
    ev_io_start(loop, &pipes[i]);
    if (has_timeout) {
        before_timeout();
        ev_timer_set(&clocks[i], 60., 60.);
        ev_timer_start(loop, &clocks[i]);
    }
}

static void stop_source(size_t i, int has_timeout)
{
    ev_io_stop(loop, &pipes[i]);
    if (has_timeout)
        ev_timer_stop(loop, &clocks[i]);
}

static void drop_source(size_t i) { (void)i; }
static void refresh_timeout(size_t i) { ev_timer_again(loop, &clocks[i]); }

static void want_write(size_t i, int wanted)
{
    if (wanted)
        ev_io_start(loop, &writes[i]);
    else
        ev_io_stop(loop, &writes[i]);
}

static span span_of(uint64_t us) { return us / 1e6; }

static void start_timer(size_t i, span after)
{
    before_timeout();
    ev_timer_set(&clocks[i], after, 0.);
    ev_timer_start(loop, &clocks[i]);
}

/* A repeat that is set, then `again`, is libev's way to move a running timer. Without it the timer does not repeat. */
static void move_timer(size_t i, span after)
{
    before_timeout();
    clocks[i].repeat = after;
    ev_timer_again(loop, &clocks[i]);
    clocks[i].repeat = 0.;
}

static void stop_timer(size_t i) { ev_timer_stop(loop, &clocks[i]); }

static void start_signal(int number)
{
    ev_signal_init(&caught, on_signal, number);
    ev_signal_start(loop, &caught);
}

static void start_waker(void)
{
    ev_async_init(&waker, on_wake);
    ev_async_start(loop, &waker);
}

static void wake(void) { ev_async_send(loop, &waker); }
