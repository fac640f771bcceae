//! Activators beside a model of a page: whatever is made, dropped, activated, deleted, added and removed
//! between two looks, the same events run, in the same order, told the same.
//!
//! The model says what an activator does to the event it is for. That it does so from other threads is for
//! other tests.

use std::fmt::Write as _;

use evloop::{Activator, EventId, Interest, NoSuchEvent, Ready};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::support::trace::{Loop, Trace, line, look, new_loop};

#[derive(Clone, Debug)]
enum Op {
    /// A new event.
    Event,
    /// A new activator of an event, which tells this.
    Activator(Index, bool),
    Clone(Index),
    Drop(Index),
    Activate(Index),
    Add(Index),
    Delete(Index),
    Remove(Index),
    Look,
}

fn op() -> impl Strategy<Value = Op> {
    let index = any::<Index>;
    prop_oneof![
        1 => Just(Op::Event),
        3 => (index(), any::<bool>()).prop_map(|(of, writes)| Op::Activator(of, writes)),
        1 => index().prop_map(Op::Clone),
        2 => index().prop_map(Op::Drop),
        6 => index().prop_map(Op::Activate),
        2 => index().prop_map(Op::Add),
        2 => index().prop_map(Op::Delete),
        1 => index().prop_map(Op::Remove),
        3 => Just(Op::Look),
    ]
}

/// An event, which is freed if nothing is known of it.
#[derive(Clone, Copy, Debug, Default)]
struct Event {
    is_pending: bool,
    /// Active for this.
    told: Ready,
}

/// What an activator and its clones are.
#[derive(Clone, Copy, Debug)]
struct Place {
    event: usize,
    ready: Ready,
    is_set: bool,
    /// The loop has found that the event was freed.
    is_gone: bool,
    clones: usize,
}

#[derive(Debug, Default)]
struct Model {
    events: Vec<Option<Event>>,
    /// Those that are active, in their order.
    active: Vec<usize>,
    places: Vec<Place>,
    /// Places without a clone; the last is used first.
    vacant: Vec<usize>,
}

impl Model {
    fn activator(&mut self, event: usize, ready: Ready) -> usize {
        let place = Place {
            event,
            ready,
            is_set: false,
            is_gone: false,
            clones: 1,
        };
        let Some(at) = self.vacant.pop() else {
            self.places.push(place);
            return self.places.len() - 1;
        };
        // What it was used for is not lost.
        self.take(at);
        self.places[at] = place;
        at
    }

    fn drop_one(&mut self, at: usize) {
        self.places[at].clones -= 1;
        if self.places[at].clones == 0 {
            self.vacant.push(at);
        }
    }

    fn activate(&mut self, at: usize) -> Result<(), NoSuchEvent> {
        let place = &mut self.places[at];
        if place.is_gone {
            return Err(NoSuchEvent);
        }
        place.is_set = true;
        Ok(())
    }

    fn take(&mut self, at: usize) {
        let Place {
            event: n, ready, ..
        } = self.places[at];
        if !std::mem::take(&mut self.places[at].is_set) {
            return;
        }
        let Some(event) = &mut self.events[n] else {
            self.places[at].is_gone = true;
            return;
        };
        if event.is_pending {
            event.told |= ready;
            if !self.active.contains(&n) {
                self.active.push(n);
            }
        }
    }

    /// Not pending, and not active.
    fn delete(&mut self, n: usize) {
        if self.events[n].is_some() {
            self.events[n] = Some(Event::default());
        }
        self.active.retain(|active| *active != n);
    }

    fn look(&mut self) -> Trace {
        (0..self.places.len()).for_each(|at| self.take(at));
        let mut trace = Trace::new();
        for n in std::mem::take(&mut self.active) {
            let event = self.events[n].as_mut().expect("it is active");
            trace.push(line(&n.to_string(), std::mem::take(&mut event.told)));
        }
        trace
    }
}

/// The real ones.
struct Real {
    events: Loop,
    ids: Vec<EventId>,
    /// Each with its place in the model.
    activators: Vec<(Activator, usize)>,
}

fn play(program: &[Op]) {
    let mut model = Model::default();
    let mut real = Real {
        events: new_loop(),
        ids: Vec::new(),
        activators: Vec::new(),
    };
    let mut played = String::new();
    for op in program {
        writeln!(played, "{op:?}").unwrap();
        step(op, &mut model, &mut real).unwrap_or_default();
    }
    assert_eq!(look(&mut real.events), model.look(), "{played}");
}

/// `None`: there is nothing to do it to.
fn step(op: &Op, model: &mut Model, real: &mut Real) -> Option<()> {
    let Real {
        events,
        ids,
        activators,
    } = real;
    let event = |at: &Index| (!ids.is_empty()).then(|| at.index(ids.len()));
    let activator = |at: &Index| (!activators.is_empty()).then(|| at.index(activators.len()));
    match op {
        Op::Event => {
            let name = ids.len().to_string();
            let event = events.user().persist();
            let id = event.add(move |cx, ready| cx.state.push(line(&name, ready)));
            ids.push(id.unwrap());
            model.events.push(Some(Event {
                is_pending: true,
                told: Ready::empty(),
            }));
        }
        Op::Activator(of, writes) => {
            let n = event(of)?;
            let interest = if *writes {
                Interest::WRITE
            } else {
                Interest::READ
            };
            let ready = Ready::from(interest);
            let made = events.activator(ids[n], ready);
            assert_eq!(made.is_ok(), model.events[n].is_some());
            activators.push((made.ok()?, model.activator(n, ready)));
        }
        Op::Clone(at) => {
            let (activator, place) = activators[activator(at)?].clone();
            model.places[place].clones += 1;
            activators.push((activator, place));
        }
        Op::Drop(at) => {
            let (activator, place) = activators.swap_remove(activator(at)?);
            model.drop_one(place);
            drop(activator);
        }
        Op::Activate(at) => {
            let (activator, place) = &activators[activator(at)?];
            assert_eq!(activator.activate(), model.activate(*place));
        }
        Op::Add(at) => {
            let n = event(at)?;
            let added = events.add(ids[n]);
            assert_eq!(added.is_ok(), model.events[n].is_some());
            model.events[n].as_mut()?.is_pending = true;
        }
        Op::Delete(at) => {
            let n = event(at)?;
            assert_eq!(events.delete(ids[n]).is_ok(), model.events[n].is_some());
            model.delete(n);
        }
        Op::Remove(at) => {
            let n = event(at)?;
            assert_eq!(events.remove(ids[n]).is_ok(), model.events[n].is_some());
            model.delete(n);
            model.events[n] = None;
        }
        Op::Look => assert_eq!(look(events), model.look()),
    }
    Some(())
}

#[test]
fn activators_do_what_their_model_does() {
    proptest!(|(program in vec(op(), 0..80))| {
        play(&program);
    });
}

/// More than have room in one word.
#[test]
fn hundreds_of_activators_do_what_their_model_does() {
    proptest!(ProptestConfig::with_cases(20), |(program in vec(op(), 800..1200))| {
        play(&program);
    });
}
