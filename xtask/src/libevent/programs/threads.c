/* Threads that add, delete, activate and free events while the loop runs in another.
 *
 * Checked: what was asked for runs, once where once was asked; after event_del has returned the
 * callback neither runs nor will run, so that the event's memory can be freed and written over. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>

enum { WORKERS = 4, ROUNDS = 2000 };

static struct event_base *base;
static atomic_long once_asked, once_ran;

struct subject {
    struct event *event;
    atomic_int ran;
    atomic_int is_deleted;
};

static void fail(const char *what) {
    fprintf(stderr, "threads: %s\n", what);
    exit(1);
}

static void on_event(evutil_socket_t fd, short what, void *arg) {
    struct subject *subject = arg;
    char byte;
    if (atomic_load(&subject->is_deleted))
        fail("a callback ran after event_del had returned");
    if (what & EV_READ && read((int)fd, &byte, 1) != 1)
        byte = 0;
    sched_yield();
    if (atomic_load(&subject->is_deleted))
        fail("event_del returned while the callback ran");
    atomic_fetch_add(&subject->ran, 1);
}

static void on_once(evutil_socket_t fd, short what, void *arg) {
    (void)fd, (void)what, (void)arg;
    atomic_fetch_add(&once_ran, 1);
}

static void wait_for(atomic_int *ran, int wanted, const char *what) {
    time_t end = time(NULL) + 20;
    while (atomic_load(ran) < wanted) {
        if (time(NULL) > end)
            fail(what);
        sched_yield();
    }
}

static void delete(struct subject *subject) {
    if (event_del(subject->event) != 0)
        fail("event_del failed");
    atomic_store(&subject->is_deleted, 1);
    memset(subject->event, 0x5a, sizeof *subject->event);
    free(subject->event);
}

/* Fresh memory with garbage in it, which event_assign must not mind. */
static void assign(struct subject *subject, int fd, short events) {
    memset(subject, 0, sizeof *subject);
    subject->event = malloc(sizeof *subject->event);
    if (!subject->event)
        fail("no memory");
    memset(subject->event, 0xa5, sizeof *subject->event);
    event_assign(subject->event, base, fd, events, on_event, subject);
}

static void round_of(int from, int to, int number) {
    struct timeval soon = {0, number % 3 * 300};
    struct subject io, by_hand, timer;
    char byte;
    assign(&io, from, EV_READ | EV_PERSIST);
    if (event_add(io.event, NULL) != 0 || write(to, "x", 1) != 1)
        fail("event_add failed");
    wait_for(&io.ran, 1, "readiness did not arrive");
    /* Ready again while it is deleted, or just before. */
    if (write(to, "y", 1) != 1)
        fail("write failed");
    delete(&io);
    if (atomic_load(&io.ran) == 1 && read(from, &byte, 1) != 1)
        fail("read failed");

    assign(&by_hand, -1, EV_PERSIST);
    event_active(by_hand.event, EV_TIMEOUT, 1);
    wait_for(&by_hand.ran, 1, "what was activated did not run");
    delete(&by_hand);

    assign(&timer, -1, 0);
    event_add(timer.event, &soon);
    if (number % 2)
        wait_for(&timer.ran, 1, "a timeout did not run");
    delete(&timer);

    atomic_fetch_add(&once_asked, 1);
    if (event_base_once(base, -1, EV_TIMEOUT, on_once, NULL, &soon) != 0)
        fail("event_base_once failed");
}

static void *work(void *arg) {
    int ends[2];
    (void)arg;
    if (pipe(ends) != 0)
        fail("no pipe");
    for (int number = 0; number < ROUNDS; number++)
        round_of(ends[0], ends[1], number);
    close(ends[0]);
    close(ends[1]);
    return NULL;
}

static void *run(void *arg) {
    (void)arg;
    if (event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY) < 0)
        fail("the loop failed");
    return NULL;
}

int main(void) {
    pthread_t loop, workers[WORKERS];
    time_t end = time(NULL) + 20;
    evthread_use_pthreads();
    base = event_base_new();
    if (!base)
        fail("no base");
    pthread_create(&loop, NULL, run, NULL);
    for (int at = 0; at < WORKERS; at++)
        pthread_create(&workers[at], NULL, work, NULL);
    for (int at = 0; at < WORKERS; at++)
        pthread_join(workers[at], NULL);
    while (atomic_load(&once_ran) < atomic_load(&once_asked) && time(NULL) < end)
        sched_yield();
    event_base_loopbreak(base);
    pthread_join(loop, NULL);
    event_base_free(base);
    if (once_ran != once_asked)
        fail("event_base_once did not run once");
    printf("%d rounds in %d threads\n", ROUNDS, WORKERS);
    return 0;
}
