/* libuv. */
#include "runner.h"
#include <uv.h>

static uv_loop_t loop;
static uv_poll_t *polls;
static uv_timer_t *clocks;
static uv_signal_t caught;
static uint64_t hops;

static void on_idle(uv_timer_t *timer) { (void)timer; hops++; }

static void on_pipe(uv_poll_t *poll, int status, int what)
{
    (void)status, (void)what;
    pass_on(poll - polls);
    hops++;
}

static void on_pipe_once(uv_poll_t *poll, int status, int what)
{
    on_pipe(poll, status, what);
    uv_poll_stop(poll);
}

static void on_pipe_again(uv_poll_t *poll, int status, int what)
{
    size_t i = poll - polls;
    on_pipe(poll, status, what);
    uv_poll_stop(poll);
    uv_timer_stop(&clocks[i]);
    uv_poll_start(poll, UV_READABLE, on_pipe_again);
    uv_timer_start(&clocks[i], on_idle, 60000, 0);
}

static void on_pipe_refresh(uv_poll_t *poll, int status, int what)
{
    on_pipe(poll, status, what);
    uv_timer_again(&clocks[poll - polls]);
}

static void on_signal(uv_signal_t *signal, int number) { (void)signal, (void)number; hops++; }

static double ring(uint64_t ops)
{
    hops = 0;
    double begun = now_ns();
    while (hops < ops)
        uv_run(&loop, UV_RUN_ONCE);
    return (now_ns() - begun) / hops;
}

static double cascade(uint64_t ops)
{
    uint64_t passes = ops / n ? ops / n : 1;
    double begun = now_ns();
    for (uint64_t pass = 0; pass < passes; pass++) {
        for (size_t i = 0; i < n; i++)
            uv_poll_start(&polls[i], UV_READABLE, on_pipe_once);
        for (hops = 0; hops < n;)
            uv_run(&loop, UV_RUN_ONCE);
    }
    return (now_ns() - begun) / (passes * n);
}

static double send_signals(uint64_t ops)
{
    double begun = now_ns();
    for (uint64_t i = 0; i < ops; i++) {
        kill(getpid(), SIGUSR1);
        for (hops = 0; hops == 0;)
            uv_run(&loop, UV_RUN_ONCE);
    }
    return (now_ns() - begun) / ops;
}

static double add_delete(uint64_t ops)
{
    double begun = now_ns();
    for (uint64_t i = 0; i < ops; i++) {
        uv_poll_stop(&polls[0]);
        uv_poll_start(&polls[0], UV_READABLE, on_pipe);
    }
    return (now_ns() - begun) / ops;
}

static void start_all(uint64_t times, uint64_t parts)
{
    for (size_t i = 0; i < n; i++)
        uv_timer_start(&clocks[i], on_idle, timeout_ms(i) * times / parts, 0);
}

static void stop_all(void)
{
    for (size_t i = 0; i < n; i++)
        uv_timer_stop(&clocks[i]);
}

static double timers(uint64_t ops)
{
    (void)ops;
    stop_all();
    uv_update_time(&loop);
    if (is("timer-expire")) {
        for (size_t i = 0; i < n; i++)
            uv_timer_start(&clocks[i], on_idle, short_us(i) / 1000 + 1, 0);
        until_due();
    } else if (!is("timer-add"))
        start_all(1, 1);
    double begun = now_ns();
    if (is("timer-add"))
        start_all(1, 1);
    else if (is("timer-cancel"))
        stop_all();
    else if (is("timer-later"))
        start_all(2, 1);
    else if (is("timer-earlier"))
        start_all(1, 2);
    else
        for (hops = 0; hops < n;)
            uv_run(&loop, UV_RUN_ONCE);
    return (now_ns() - begun) / n;
}

int main(int argc, char **argv)
{
    start(argv, argc);
    need(uv_loop_init(&loop) == 0, "uv_loop_init");
    polls = calloc(n, sizeof *polls);
    clocks = calloc(n, sizeof *clocks);
    for (size_t i = 0; i < n; i++)
        uv_timer_init(&loop, &clocks[i]);
    if (strncmp(work, "timer-", 6) == 0)
        serve(timers);
    else if (is("signal")) {
        uv_signal_init(&loop, &caught);
        uv_signal_start(&caught, on_signal, SIGUSR1);
        serve(send_signals);
    } else if (is("ring-edge"))
        none("it has no edge-triggered polls");
    else if (strncmp(work, "ring", 4) == 0 || is("cascade") || is("add-delete")) {
        int again = is("ring-again"), refresh = is("ring-timeout");
        make_ring();
        for (size_t i = 0; i < n; i++) {
            uv_poll_init(&loop, &polls[i], readers[i]);
            if (!is("cascade"))
                uv_poll_start(&polls[i], UV_READABLE,
                              again ? on_pipe_again : refresh ? on_pipe_refresh : on_pipe);
            if (again || refresh)
                uv_timer_start(&clocks[i], on_idle, 60000, 60000);
        }
        if (!is("add-delete"))
            prime(active_bytes);
        serve(is("cascade") ? cascade : is("add-delete") ? add_delete : ring);
    } else
        none("not measured yet");
    return 0;
}
