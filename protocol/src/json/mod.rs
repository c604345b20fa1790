//! How some types are written in JSON, where that is not how they travel.
//!
//! `torcctl api` takes requests and gives replies as JSON. Each module here is for serde's `with`, and
//! changes nothing of the bytes on the wire: only a format that people can read is written otherwise.

mod base64;
pub(crate) mod environment;
pub(crate) mod octets;
pub(crate) mod pairs;

use serde::{Deserialize, Serialize};

/// An object without keys: what a message without fields is in JSON. On the wire it is no byte at all.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// Makes a struct without fields an empty object in JSON, rather than `null`.
macro_rules! nothing {
    ($($name:ident),+) => {
        $(
            impl From<$crate::json::Nothing> for $name {
                fn from(_: $crate::json::Nothing) -> Self {
                    Self
                }
            }

            impl From<$name> for $crate::json::Nothing {
                fn from(_: $name) -> Self {
                    Self {}
                }
            }
        )+
    };
}
pub(crate) use nothing;
