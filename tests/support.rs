//! What scenarios are made of: files to wait for, a record of who ran, and a look at what the
//! kernel says of it all.

pub(crate) mod clock;
pub(crate) mod fdinfo;
pub(crate) mod files;
pub(crate) mod held;
pub(crate) mod process;
pub(crate) mod raw;
pub(crate) mod setting;
pub(crate) mod status;
pub(crate) mod trace;
