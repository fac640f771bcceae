//! What the loop keeps of an event beside what the core knows: callback, source, and the number of
//! where it was added, in one allocation.
//!
//! The core's slot and the call of the callback share it, so it is there while the callback runs,
//! whatever that does to its event, and nothing is taken out and put back.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;

use crate::context::Cx;
use crate::origin::OriginId;

/// What the loop attaches to an event of the core.
pub(crate) type Shared<S> = Rc<dyn Record<S>>;

/// A callback with what belongs to it, whatever its event waits for.
pub(crate) trait Record<S> {
    /// Calls the callback; does nothing while it is being called. By value, so that the record is
    /// there until the callback is over.
    fn call(self: Rc<Self>, cx: &mut Cx<'_, S>);

    /// The source, where the event has one.
    fn source(&self) -> &dyn Any;

    /// Drops the callback and gives the source back, in a box; `None` if something else shares the
    /// record.
    fn into_source(self: Rc<Self>) -> Option<Box<dyn Any>>;

    /// The name of the event, and where it was added.
    fn origin(&self) -> OriginId;
}

/// The record of a source `F` (`()` if there is none) and of a callback `C`, which gets it.
struct Kept<F, C> {
    source: F,
    origin: OriginId,
    callback: RefCell<C>,
}

/// A record; the callback gets the source.
pub(crate) fn record<S, F, C>(source: F, origin: OriginId, callback: C) -> Shared<S>
where
    F: 'static,
    C: FnMut(&mut Cx<'_, S>, &F) + 'static,
{
    Rc::new(Kept {
        source,
        origin,
        callback: RefCell::new(callback),
    })
}

/// The source of a record that nothing else shares.
pub(crate) fn given_back<S, F: 'static>(record: Shared<S>) -> Option<F> {
    let source = record.into_source()?.downcast::<F>().ok()?;
    Some(*source)
}

impl<S, F, C> Record<S> for Kept<F, C>
where
    F: 'static,
    C: FnMut(&mut Cx<'_, S>, &F) + 'static,
{
    fn call(self: Rc<Self>, cx: &mut Cx<'_, S>) {
        if let Ok(mut callback) = self.callback.try_borrow_mut() {
            callback(cx, &self.source);
        }
    }

    fn source(&self) -> &dyn Any {
        &self.source
    }

    fn into_source(self: Rc<Self>) -> Option<Box<dyn Any>> {
        let Self {
            source, callback, ..
        } = Rc::into_inner(self)?;
        drop(callback);
        Some(Box::new(source))
    }

    fn origin(&self) -> OriginId {
        self.origin
    }
}
