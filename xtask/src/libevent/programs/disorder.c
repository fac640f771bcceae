/* Callbacks that delete, free, add, activate and close each other's events, in an order that the seed
 * decides: the loop goes on, and nothing that was freed is touched. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

enum { EVENTS = 64, SEEDS = 8, CALLS = 5000 };

static struct event_base *base;
static struct event *events[EVENTS];
static int pipes[EVENTS][2];
static unsigned seed;
static long calls;

static void expect_(int holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "disorder: not so: %s\n", what);
        exit(1);
    }
}
#define expect(what) expect_(!!(what), #what)

static unsigned below(unsigned end) {
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16 & 0x7fff) % end;
}

static void disorder(evutil_socket_t fd, short what, void *arg);

static void begin(int i, short persist) {
    events[i] = event_new(base, pipes[i][0], EV_READ | persist, disorder, NULL);
    expect(events[i] != NULL && event_add(events[i], NULL) == 0);
}

static void open_pipe(int i) {
    expect(pipe2(pipes[i], O_NONBLOCK) == 0);
    expect(write(pipes[i][1], "x", 1) == 1);
}

static void disorder(evutil_socket_t fd, short what, void *arg) {
    char byte;
    (void)arg;
    if (what & EV_READ && read(fd, &byte, 1) != 1)
        byte = 0;
    if (++calls > CALLS)
        event_base_loopbreak(base);
    for (int turn = 0; turn < 3; turn++) {
        int i = (int)below(EVENTS);
        struct timeval time = {0, (int)below(500)};
        switch (below(8)) {
        case 0:
            expect(event_del(events[i]) == 0);
            break;
        case 1:
            expect(event_add(events[i], NULL) == 0);
            break;
        case 2:
            expect(event_add(events[i], &time) == 0);
            break;
        case 3:
            event_active(events[i], EV_READ | EV_WRITE, 1);
            break;
        case 4:
            event_free(events[i]);
            begin(i, below(2) ? EV_PERSIST : 0);
            break;
        case 5:
            if (write(pipes[i][1], "x", 1) != 1)
                byte = 0;
            break;
        case 6:
            expect(event_remove_timer(events[i]) == 0);
            break;
        case 7:
            /* Closed before its event is deleted: the number is used again at once. */
            close(pipes[i][0]);
            close(pipes[i][1]);
            event_free(events[i]);
            open_pipe(i);
            begin(i, EV_PERSIST);
        }
    }
}

int main(void) {
    struct timeval limit = {30, 0};
    signal(SIGPIPE, SIG_IGN);
    for (unsigned first = 1; first <= SEEDS; first++) {
        seed = first;
        calls = 0;
        expect((base = event_base_new()) != NULL);
        for (int i = 0; i < EVENTS; i++) {
            open_pipe(i);
            begin(i, EV_PERSIST);
        }
        expect(event_base_loopexit(base, &limit) == 0);
        expect(event_base_loop(base, 0) == 0 && calls > CALLS);
        for (int i = 0; i < EVENTS; i++) {
            event_free(events[i]);
            close(pipes[i][0]);
            close(pipes[i][1]);
        }
        expect(event_base_get_num_events(base, EVENT_BASE_COUNT_ACTIVE) == 0);
        event_base_free(base);
    }
    return 0;
}
