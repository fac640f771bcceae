/* libev, in the works of net.h; a timeout is a timer beside the source. */
#include "runner.h"
#include <ev.h>
#include "net.h"

static _Thread_local struct ev_loop *loop;
static _Thread_local ev_io *sources;
static ev_timer *clocks;

#define ON(name, call)                                                                                \
    static void name(struct ev_loop *l, ev_io *w, int what) { (void)l, (void)what, call; }
ON(on_request, answer(w->fd))
ON(on_stamp, receive(w->fd))
ON(on_low, drown(w - sources))

static void on_timer(struct ev_loop *l, ev_timer *w, int what) { (void)l, (void)w, (void)what; }

static void open_loop(size_t count)
{
    loop = ev_loop_new(EVFLAG_AUTO);
    need(loop != NULL, "ev_loop_new");
    sources = calloc(count, sizeof *sources);
    if (is("idle"))
        clocks = calloc(count, sizeof *clocks);
}

static void add(size_t i, int fd, void (*callback)(struct ev_loop *, ev_io *, int), int priority)
{
    ev_io_init(&sources[i], callback, fd, EV_READ);
    ev_set_priority(&sources[i], priority);
    ev_io_start(loop, &sources[i]);
}

static void add_connection(size_t i, int fd) { add(i, fd, on_request, 0); }
static void add_urgent(size_t i, int fd) { add(i, fd, on_stamp, EV_MAXPRI); }
static void add_low(size_t i, int fd) { add(i, fd, on_low, EV_MINPRI); }

static void add_idle(size_t i, int fd)
{
    add(i, fd, on_request, 0);
    ev_timer_init(&clocks[i], on_timer, 0., IDLE_S);
    ev_timer_again(loop, &clocks[i]);
}

static void run_loop(void) { ev_run(loop, 0); }
static void stop_loop(void) { ev_break(loop, EVBREAK_ONE); }
static void look(void) { ev_run(loop, EVRUN_NOWAIT); }
