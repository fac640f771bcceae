/* libev. */
#include "runner.h"
#include <ev.h>

static struct ev_loop *loop;
static ev_io *pipes;
static ev_timer *clocks;
static ev_signal caught;
static uint64_t hops;

static void on_pipe(struct ev_loop *l, ev_io *w, int what)
{
    (void)l, (void)what;
    pass_on(w - pipes);
    hops++;
}

static void on_pipe_once(struct ev_loop *l, ev_io *w, int what)
{
    on_pipe(l, w, what);
    ev_io_stop(l, w);
}

static void on_pipe_again(struct ev_loop *l, ev_io *w, int what)
{
    on_pipe(l, w, what);
    ev_io_stop(l, w);
    ev_timer_stop(l, &clocks[w - pipes]);
    ev_io_start(l, w);
    ev_timer_set(&clocks[w - pipes], 60., 0.);
    ev_timer_start(l, &clocks[w - pipes]);
}

static void on_pipe_refresh(struct ev_loop *l, ev_io *w, int what)
{
    on_pipe(l, w, what);
    ev_timer_again(l, &clocks[w - pipes]);
}

static void on_timer(struct ev_loop *l, ev_timer *w, int what)
{
    (void)l, (void)w, (void)what;
    hops++;
}

static void on_signal(struct ev_loop *l, ev_signal *w, int what)
{
    (void)l, (void)w, (void)what;
    hops++;
}

static double ring(uint64_t ops)
{
    hops = 0;
    double begun = now_ns();
    while (hops < ops)
        ev_run(loop, EVRUN_ONCE);
    return (now_ns() - begun) / hops;
}

static double cascade(uint64_t ops)
{
    uint64_t passes = ops / n ? ops / n : 1;
    double begun = now_ns();
    for (uint64_t pass = 0; pass < passes; pass++) {
        for (size_t i = 0; i < n; i++)
            ev_io_start(loop, &pipes[i]);
        for (hops = 0; hops < n;)
            ev_run(loop, EVRUN_ONCE);
    }
    return (now_ns() - begun) / (passes * n);
}

static double send_signals(uint64_t ops)
{
    double begun = now_ns();
    for (uint64_t i = 0; i < ops; i++) {
        kill(getpid(), SIGUSR1);
        ev_run(loop, EVRUN_ONCE);
    }
    return (now_ns() - begun) / ops;
}

static double add_delete(uint64_t ops)
{
    double begun = now_ns();
    for (uint64_t i = 0; i < ops; i++) {
        ev_io_stop(loop, &pipes[0]);
        ev_io_start(loop, &pipes[0]);
    }
    return (now_ns() - begun) / ops;
}

static void stop_all(void)
{
    for (size_t i = 0; i < n; i++)
        ev_timer_stop(loop, &clocks[i]);
}

static void start_all(void)
{
    for (size_t i = 0; i < n; i++) {
        ev_timer_set(&clocks[i], timeout_ms(i) / 1e3, 0.);
        ev_timer_start(loop, &clocks[i]);
    }
}

/* A repeat that is set, then `again`, is libev's way to move a running timer. */
static void move_all(double times)
{
    for (size_t i = 0; i < n; i++) {
        clocks[i].repeat = timeout_ms(i) / 1e3 * times;
        ev_timer_again(loop, &clocks[i]);
    }
}

static double timers(uint64_t ops)
{
    (void)ops;
    stop_all();
    ev_now_update(loop);
    if (is("timer-expire")) {
        for (size_t i = 0; i < n; i++) {
            ev_timer_set(&clocks[i], short_us(i) / 1e6, 0.);
            ev_timer_start(loop, &clocks[i]);
        }
        until_due();
    } else if (!is("timer-add"))
        start_all();
    double begun = now_ns();
    if (is("timer-add"))
        start_all();
    else if (is("timer-cancel"))
        stop_all();
    else if (is("timer-later"))
        move_all(2);
    else if (is("timer-earlier"))
        move_all(.5);
    else
        for (hops = 0; hops < n;)
            ev_run(loop, EVRUN_ONCE);
    return (now_ns() - begun) / n;
}

int main(int argc, char **argv)
{
    start(argv, argc);
    loop = ev_default_loop(EVFLAG_AUTO);
    need(loop != NULL, "ev_default_loop");
    pipes = calloc(n, sizeof *pipes);
    clocks = calloc(n, sizeof *clocks);
    for (size_t i = 0; i < n; i++)
        ev_timer_init(&clocks[i], on_timer, 60., 60.);
    if (strncmp(work, "timer-", 6) == 0)
        serve(timers);
    else if (is("signal")) {
        ev_signal_init(&caught, on_signal, SIGUSR1);
        ev_signal_start(loop, &caught);
        serve(send_signals);
    } else if (is("ring-edge"))
        none("it has no edge-triggered sources");
    else if (strncmp(work, "ring", 4) == 0 || is("cascade") || is("add-delete")) {
        int again = is("ring-again"), once = is("cascade"), refresh = is("ring-timeout");
        make_ring();
        for (size_t i = 0; i < n; i++) {
            ev_io_init(&pipes[i],
                       again ? on_pipe_again : once ? on_pipe_once
                                           : refresh ? on_pipe_refresh : on_pipe,
                       readers[i], EV_READ);
            if (!once)
                ev_io_start(loop, &pipes[i]);
            if (again || refresh)
                ev_timer_start(loop, &clocks[i]);
        }
        if (!is("add-delete"))
            prime(active_bytes);
        serve(once ? cascade : is("add-delete") ? add_delete : ring);
    } else
        none("not measured yet");
    return 0;
}
