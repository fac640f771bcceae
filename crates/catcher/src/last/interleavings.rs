//! Handlers that store and a loop that loads, in every order that the threads and the memory model
//! allow.

use std::sync::Arc;

use loom::thread;

use super::{Last, Words};

/// A thread that stores words that are all the same, one after the other.
fn storing<const N: usize>(last: &Arc<Last>, values: [u64; N]) -> thread::JoinHandle<()> {
    let last = Arc::clone(last);
    thread::spawn(move || values.into_iter().for_each(|value| last.store([value; 3])))
}

fn join<const N: usize>(threads: [thread::JoinHandle<()>; N]) {
    for thread in threads {
        thread.join().expect("no thread panics");
    }
}

/// Of which `store` the words are, all of them.
fn value(words: Words) -> u64 {
    assert_eq!(words, [words[0]; 3]);
    words[0]
}

#[test]
fn words_of_two_threads_are_never_mixed() {
    loom::model(|| {
        let last = Arc::new(Last::new());
        let threads = [1, 2].map(|value| storing(&last, [value]));
        if let Some(words) = last.load() {
            assert!(value(words) <= 2);
        }
        join(threads);
        let words = last.load().expect("nobody is about to store");
        assert!([1, 2].contains(&value(words)));
    });
}

#[test]
fn words_never_go_back() {
    loom::model(|| {
        let last = Arc::new(Last::new());
        let threads = [storing(&last, [1, 2])];
        let mut before = 0;
        for _ in 0..2 {
            if let Some(words) = last.load() {
                assert!(before <= value(words));
                before = words[0];
            }
        }
        join(threads);
        assert_eq!(last.load(), Some([2; 3]));
    });
}

/// The words of who claims later replace those of who came before, wherever they ran.
#[test]
fn words_of_a_later_claim_stay() {
    loom::model(|| {
        let last = Arc::new(Last::new());
        let threads = [1, 2].map(|value| {
            let last = Arc::clone(&last);
            thread::spawn(move || {
                let turn = last.claim()?;
                let version = turn.version;
                last.publish(turn, [value; 3]);
                Some((version, value))
            })
        });
        let claims = threads.map(|thread| thread.join().expect("no thread panics"));
        let latest = claims.into_iter().flatten().max();
        assert_eq!(last.load().map(value), latest.map(|(_, value)| value));
    });
}
