/* libuv, in the works of net.h; a timeout is a timer beside the source. */
#include "runner.h"
#include <uv.h>
#include "net.h"

static _Thread_local uv_loop_t loop;
static _Thread_local uv_poll_t *sources;
static uv_timer_t *clocks;

/* The file descriptor is in `data`: to ask for it is a call. */
#define ON(name, call)                                                                                \
    static void name(uv_poll_t *poll, int status, int what) { (void)status, (void)what, call; }
ON(on_request, answer((int)(intptr_t)poll->data))
ON(on_stamp, receive((int)(intptr_t)poll->data))
ON(on_low, drown(poll - sources))

static void on_timer(uv_timer_t *timer) { (void)timer; }

static void open_loop(size_t count)
{
    need(uv_loop_init(&loop) == 0, "uv_loop_init");
    sources = calloc(count, sizeof *sources);
    if (is("idle"))
        clocks = calloc(count, sizeof *clocks);
}

static void add(size_t i, int fd, uv_poll_cb callback)
{
    need(uv_poll_init(&loop, &sources[i], fd) == 0, "uv_poll_init");
    sources[i].data = (void *)(intptr_t)fd;
    uv_poll_start(&sources[i], UV_READABLE, callback);
}

static void add_connection(size_t i, int fd) { add(i, fd, on_request); }
static void add_urgent(size_t i, int fd) { add(i, fd, on_stamp); }
static void add_low(size_t i, int fd) { add(i, fd, on_low); }

static void add_idle(size_t i, int fd)
{
    add(i, fd, on_request);
    uv_timer_init(&loop, &clocks[i]);
    uv_timer_start(&clocks[i], on_timer, IDLE_S * 1000, 0);
}

static void run_loop(void) { uv_run(&loop, UV_RUN_DEFAULT); }
static void stop_loop(void) { uv_stop(&loop); }
static void look(void) { uv_run(&loop, UV_RUN_NOWAIT); }
