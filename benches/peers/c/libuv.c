/* libuv; a timeout is a timer beside the source. */
#include "runner.h"
#include <uv.h>

typedef uint64_t span; /* milliseconds */
#include "works.h"

static uv_loop_t loop;
static uv_poll_t *polls;
static uv_timer_t *clocks;
static uv_signal_t caught;
static uv_async_t waker;
static uv_poll_cb on_ready;
static const int stays = 1;

static const char *lacks(void)
{
    return is("ring-edge") ? "it has no edge-triggered polls" : NULL;
}

#define ON(name)                                                                                      \
    static void on_##name(uv_poll_t *poll, int status, int what)                                      \
    {                                                                                                 \
        (void)status, (void)what;                                                                     \
        name(poll - polls);                                                                           \
    }
ON(plain) ON(refresh) ON(again) ON(toggle) ON(once)

static void on_timer(uv_timer_t *timer) { (void)timer, hop(); }
static void on_signal(uv_signal_t *signal, int number) { (void)signal, (void)number, hop(), next_signal(); }
static void on_wake(uv_async_t *async) { (void)async, hop(), answer(); }

static void open_loop(void)
{
    need(uv_loop_init(&loop) == 0, "uv_loop_init");
    polls = calloc(n, sizeof *polls);
    clocks = calloc(n, sizeof *clocks);
    on_ready = CALLBACK(on_plain, on_refresh, on_again, on_toggle, on_once);
    for (size_t i = 0; i < n; i++)
        uv_timer_init(&loop, &clocks[i]);
}

static void run(void) { uv_run(&loop, UV_RUN_DEFAULT); }
static void stop(void) { uv_stop(&loop); }

/* For timers it is the time of the loop that counts. */
static void tell_kernel(void)
{
    if (is("register"))
        uv_run(&loop, UV_RUN_NOWAIT);
    else
        uv_update_time(&loop);
}

static void new_source(size_t i, int fd) { uv_poll_init(&loop, &polls[i], fd); }

static void start_source(size_t i, int has_timeout)
{
    uv_poll_start(&polls[i], UV_READABLE, on_ready);
    if (has_timeout)
        uv_timer_start(&clocks[i], on_timer, 60000, 60000);
}

static void stop_source(size_t i, int has_timeout)
{
    uv_poll_stop(&polls[i]);
    if (has_timeout)
        uv_timer_stop(&clocks[i]);
}

static void drop_source(size_t i)
{
    uv_close((uv_handle_t *)&polls[i], NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
}

static void refresh_timeout(size_t i) { uv_timer_again(&clocks[i]); }

static void want_write(size_t i, int wanted)
{
    uv_poll_start(&polls[i], wanted ? UV_READABLE | UV_WRITABLE : UV_READABLE, on_ready);
}

/* Its timers are never early: a part of a millisecond counts as one. */
static span span_of(uint64_t us) { return (us + 999) / 1000; }
static void start_timer(size_t i, span after) { uv_timer_start(&clocks[i], on_timer, after, 0); }
static void move_timer(size_t i, span after) { uv_timer_start(&clocks[i], on_timer, after, 0); }
static void stop_timer(size_t i) { uv_timer_stop(&clocks[i]); }

static void start_signal(int number)
{
    uv_signal_init(&loop, &caught);
    uv_signal_start(&caught, on_signal, number);
}

static void start_waker(void) { uv_async_init(&loop, &waker, on_wake); }
static void wake(void) { uv_async_send(&waker); }
