//! Who answers and who asks, in every order that the threads allow. One that waits for ever is reported
//! by loom.

use loom::thread;

use super::*;

/// A thread that gives this answer, or none.
fn answering(answer: Answer<u32>, with: Option<u32>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        if let Some(with) = with {
            answer.give(with);
        }
    })
}

#[test]
fn who_waits_is_answered_or_told_that_there_is_no_answer() {
    for with in [Some(7), None] {
        loom::model(move || {
            let (answer, reply) = Answer::new();
            let thread = answering(answer, with);
            assert_eq!(reply.wait().ok(), with);
            thread.join().expect("no thread panics");
        });
    }
}

#[test]
fn an_answer_is_had_once_however_it_is_asked_for() {
    loom::model(|| {
        let (answer, reply) = Answer::new();
        let thread = answering(answer, Some(7));
        match reply.poll() {
            Ok(Some(7)) => assert_eq!(reply.wait(), Err(NoAnswer)),
            Ok(None) => assert_eq!(reply.wait(), Ok(7)),
            other => panic!("{other:?}"),
        }
        thread.join().expect("no thread panics");
    });
}
