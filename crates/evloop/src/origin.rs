//! Where events were added and under which names: each such pair once, however many events share it.
//!
//! A server adds its hundred thousand connections in one place under one name, so an event keeps 4
//! bytes of it, and the loop the rest.

use std::collections::BTreeMap;
use std::ops::Index;
use std::panic::Location;
use std::ptr;

/// How an event is called, and where it was added.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) label: &'static str,
    pub(crate) place: &'static Location<'static>,
}

impl Origin {
    /// Whether it is the same by where it lies in memory; two that lie apart may be equal all the same.
    fn is(self, other: Self) -> bool {
        ptr::eq(self.label, other.label) && ptr::eq(self.place, other.place)
    }
}

/// Which of a loop's [`Origins`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OriginId(u32);

/// The origins that a loop has seen. They stay for as long as it does.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    known: Vec<Origin>,
    by_origin: BTreeMap<(&'static str, &'static Location<'static>), OriginId>,
    /// Which was asked for last: mostly it is asked for again.
    last: usize,
}

impl Origins {
    /// The number of an origin, which is new, or was asked for before.
    pub(crate) fn number(&mut self, origin: Origin) -> OriginId {
        if self
            .known
            .get(self.last)
            .is_none_or(|last| !last.is(origin))
        {
            self.last = self.find(origin).0 as usize;
        }
        OriginId(u32::try_from(self.last).expect("it is the number of an origin"))
    }

    fn find(&mut self, origin: Origin) -> OriginId {
        let Origin { label, place } = origin;
        *self.by_origin.entry((label, place)).or_insert_with(|| {
            let number = u32::try_from(self.known.len());
            self.known.push(origin);
            OriginId(number.expect("a program has not so many places to add events in"))
        })
    }
}

impl Index<OriginId> for Origins {
    type Output = Origin;

    fn index(&self, OriginId(number): OriginId) -> &Origin {
        &self.known[number as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn here(label: &'static str) -> Origin {
        let place = Location::caller();
        Origin { label, place }
    }

    #[test]
    fn an_origin_has_one_number_wherever_its_name_lies() {
        let mut origins = Origins::default();
        let place = here("").place;
        let at = |label| Origin { label, place };
        let [reader, writer] = ["reader", "writer"].map(|label| origins.number(at(label)));
        assert_ne!(reader, writer);
        let copy: &'static str = String::from("reader").leak();
        for label in ["reader", copy, copy, "reader"] {
            assert_eq!(origins.number(at(label)), reader);
        }
        assert_eq!(origins[writer].label, "writer");
        assert_eq!(origins.known.len(), 2);

        let elsewhere = origins.number(here("reader"));
        assert_ne!(elsewhere, reader);
        assert_eq!(origins[elsewhere].place.file(), place.file());
        assert_ne!(origins[elsewhere].place, place);
    }
}
